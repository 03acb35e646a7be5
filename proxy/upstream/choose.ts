/** route × health × sticky key × random → Plan: the candidates to try, in order. Pure. */
import { hash } from 'node:crypto';
import type { CompiledUpstream, ValidRoute, ValidUpstream } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import { atLimit } from './load.ts';

export interface Candidate {
  readonly upstream: ValidUpstream;
  /** Sent in place of the client's model. */
  readonly model?: string;
}

export interface Plan {
  /** At least one. */
  readonly candidates: readonly [Candidate, ...Candidate[]];
}

export interface ChooseFacts {
  readonly upstreams: ReadonlyMap<string, CompiledUpstream>;
  available(upstream: string): boolean;
  /** Whether an upstream has as many exchanges in flight as its limits allow. */
  atLimit(upstream: ValidUpstream): boolean;
  /** Value of the route's sticky header; undefined when the route or the request has none. */
  readonly stickyKey: string | undefined;
  /** From 0 to below 1. */
  readonly random: number;
}

type Weighted = Candidate & { readonly weight: number };

/**
 * The split gives the first choice; `fallback` follows in order. What is invalid is left out, and so is what is unavailable
 * as long as anything else is there: a lone upstream is better asked than given up. One at its limit is never asked.
 * @throws ProxyError invalid_route when nothing valid is left, at_limit when nothing has room
 */
export function choose(route: ValidRoute, facts: ChooseFacts): Plan {
  const hasRoom = ({ upstream }: Candidate): boolean => !facts.atLimit(upstream);
  const everySplit = route.split.filter((choice) => choice.weight > 0).flatMap((choice) => valid(choice, facts));
  const everyFallback = route.fallback.flatMap((choice) => valid(choice, facts));
  const split = everySplit.filter(hasRoom);
  const fallback = everyFallback.filter(hasRoom);
  const available = ({ upstream }: Candidate): boolean => facts.available(upstream.name);
  const [first, ...rest] = [...pick(split.filter(available), facts), ...fallback.filter(available)];
  if (first) return { candidates: [first, ...rest] };
  const [last, ...others] = [...pick(split, facts), ...fallback];
  if (last) return { candidates: [last, ...others] };
  const full = [...everySplit, ...everyFallback].map(({ upstream }) => upstream);
  if (full.length > 0) throw atLimit(full, route.name);
  throw new ProxyError('invalid_route', `No upstream of route "${route.name}" is usable: ${reasons(route, facts)}`, {
    route: route.name,
  });
}

function valid<T extends { upstream: string; model?: string }>(
  choice: T,
  facts: ChooseFacts,
): (Omit<T, 'upstream'> & { upstream: ValidUpstream })[] {
  const upstream = facts.upstreams.get(choice.upstream);
  return upstream?.kind === 'valid' ? [{ ...choice, upstream }] : [];
}

function pick(split: readonly Weighted[], facts: ChooseFacts): Candidate[] {
  const chosen = facts.stickyKey === undefined ? byRandom(split, facts.random) : byKey(split, facts.stickyKey);
  if (!chosen) return [];
  const { weight: _weight, ...candidate } = chosen;
  return [candidate];
}

function byRandom(split: readonly Weighted[], random: number): Weighted | undefined {
  const total = split.reduce((sum, { weight }) => sum + weight, 0);
  let left = random * total;
  for (const choice of split) {
    left -= choice.weight;
    if (left < 0) return choice;
  }
  return split.at(-1);
}

/**
 * Weighted rendezvous hashing: each upstream draws a number from the key and its own name, scaled by its weight, and the
 * highest wins. A changed weight moves only the keys that it must.
 */
function byKey(split: readonly Weighted[], key: string): Weighted | undefined {
  let best: { choice: Weighted; score: number } | undefined;
  for (const choice of split) {
    const digest = hash('sha256', `${choice.upstream.name}\0${key}`, 'hex');
    const drawn = (Number.parseInt(digest.slice(0, 12), 16) + 0.5) / 2 ** 48;
    const score = -choice.weight / Math.log(drawn);
    if (!best || score > best.score) best = { choice, score };
  }
  return best?.choice;
}

function reasons(route: ValidRoute, facts: ChooseFacts): string {
  const names = [...new Set([...route.split, ...route.fallback].map((choice) => choice.upstream))];
  return names
    .map((name) => {
      const upstream = facts.upstreams.get(name);
      return `"${name}": ${upstream?.kind === 'invalid' ? upstream.message : 'has no weight'}`;
    })
    .join('; ');
}
