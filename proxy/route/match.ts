/** Request facts × routes → the first route that matches. Pure. */
import type { CompiledMatch, CompiledRoute, PathPattern } from '#contract/compiled.ts';

export interface MatchFacts {
  /** Without the query. */
  readonly path: string;
  /** `unread`: the body is longer than we look, and the model was not found so far. */
  readonly model: { readonly kind: 'read'; readonly value: string | undefined } | { readonly kind: 'unread' };
  readonly agent: string | undefined;
  /** Every value of a header, by its lower-case name. */
  headerValues(name: string): readonly string[];
}

export type Match =
  | { readonly kind: 'matched'; readonly route: CompiledRoute }
  /** This route would match if the model that nobody has read does. */
  | { readonly kind: 'needs_model'; readonly route: CompiledRoute }
  | { readonly kind: 'none' };

/** First match wins. */
export function match(facts: MatchFacts, routes: readonly CompiledRoute[]): Match {
  for (const route of routes) {
    if (!matchesHead(facts, route.match)) continue;
    if (route.match.models.length === 0) return { kind: 'matched', route };
    if (facts.model.kind === 'unread') return { kind: 'needs_model', route };
    const model = facts.model.value;
    if (model !== undefined && route.match.models.some((glob) => globMatches(glob, model))) {
      return { kind: 'matched', route };
    }
  }
  return { kind: 'none' };
}

function matchesHead(facts: MatchFacts, rule: CompiledMatch): boolean {
  if (rule.paths.length > 0 && !rule.paths.some((pattern) => pathMatches(pattern, facts.path))) return false;
  if (rule.agents.length > 0 && (facts.agent === undefined || !rule.agents.includes(facts.agent))) return false;
  return rule.headers.every(({ name, values }) => {
    const given = facts.headerValues(name);
    return values.length === 0 ? given.length > 0 : given.some((value) => values.includes(value));
  });
}

function pathMatches(pattern: PathPattern, path: string): boolean {
  return pattern.kind === 'exact' ? path === pattern.path : path.startsWith(pattern.path);
}

/** `*` stands for any characters, none included; everything else for itself. Linear: no pattern makes it slow. */
export function globMatches(glob: string, text: string): boolean {
  const parts = glob.split('*');
  const first = parts[0] ?? '';
  if (parts.length === 1) return text === first;
  const last = parts.at(-1) ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let from = first.length;
  const limit = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from);
    if (found === -1 || found + part.length > limit) return false;
    from = found + part.length;
  }
  return true;
}
