/** Reasoning: `thinking` and `effort` of a request → what the upstream's kind understands; reasoning of an answer → its text. */
import type { Effort, Flavor } from '../flavors.ts';
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { elementsOf, filled, isObject, membersOf } from '../wire/json.ts';
import { lose } from './loss.ts';

const EFFORTS: readonly Effort[] = ['low', 'medium', 'high', 'xhigh', 'max'];

/** Budgets in tokens up to which an effort stands; Claude Code's three depths of thinking (4,000, 10,000, 31,999) fall apart. */
const EFFORT_OF_BUDGET: readonly (readonly [number, Effort])[] = [
  [4096, 'low'],
  [16_384, 'medium'],
  [Number.POSITIVE_INFINITY, 'high'],
];

/** @returns the fields of a Chat request that say how much to reason; none when the client does not */
export function reasoningFields(body: JsonObject, context: TranslationContext): JsonObject {
  const thinking = membersOf(body['thinking']);
  const toggle = context.flavor.thinkingSwitch ? switchOf(thinking['type']) : {};
  const asked = askedEffort(body, thinking);
  if (asked === undefined) return toggle;
  const effort = nearest(asked, context.flavor);
  if (effort !== undefined) return { ...toggle, reasoning_effort: effort };
  if (!context.flavor.thinkingSwitch) {
    const path = isObject(body['thinking']) ? 'thinking' : 'output_config.effort';
    lose(context, 'effort', path, 'leave it out, the model decides itself how much it reasons');
  }
  return toggle;
}

/** Without thinking no effort is asked for: upstreams would reason where the client wants none. */
function askedEffort(body: JsonObject, thinking: JsonObject): Effort | undefined {
  if (thinking['type'] === 'disabled') return undefined;
  const effort = membersOf(body['output_config'])['effort'];
  const named = EFFORTS.find((name) => name === effort);
  if (named !== undefined) return named;
  const budget = thinking['budget_tokens'];
  if (thinking['type'] !== 'enabled' || typeof budget !== 'number') return undefined;
  return EFFORT_OF_BUDGET.find(([most]) => budget <= most)?.[1];
}

/** The asked effort, or the next lower one that the upstream's kind knows, or the lowest of all. */
function nearest(asked: Effort, { efforts }: Flavor): Effort | undefined {
  const most = EFFORTS.indexOf(asked);
  const known = EFFORTS.filter((effort) => efforts.includes(effort));
  return known.findLast((effort) => EFFORTS.indexOf(effort) <= most) ?? known[0];
}

function switchOf(type: JsonValue | undefined): JsonObject {
  if (type === undefined) return {};
  return { thinking: { type: type === 'disabled' ? 'disabled' : 'enabled' } };
}

/** @returns the reasoning in a message or delta; empty when there is none. Where two fields repeat each other one counts. */
export function reasoningText(message: JsonObject, { reasoningFields: names }: Flavor): string {
  for (const name of names) {
    const text = filled(message[name]);
    if (text !== undefined) return text;
  }
  return '';
}

/** One part of a content list: reasoning comes as parts of type `thinking` (Mistral) or `reasoning` (Databricks) beside those of type `text`. */
export interface Prose {
  readonly kind: 'text' | 'thinking';
  readonly text: string;
}

/** @param content of a message or delta: a text, or a list of parts */
export function proseOf(content: JsonValue | undefined): readonly Prose[] {
  if (typeof content === 'string') return [{ kind: 'text', text: content }];
  return elementsOf(content).map((part): Prose => {
    const { type, text, thinking, summary } = membersOf(part);
    if (type === 'thinking') return { kind: 'thinking', text: filled(thinking) ?? joined(thinking) };
    if (type === 'reasoning') return { kind: 'thinking', text: filled(text) ?? joined(summary) };
    return { kind: 'text', text: filled(text) ?? filled(part) ?? '' };
  });
}

/** One part where several of a kind follow each other: servers that stream parts give each piece as one. */
export function joinedProse(parts: readonly Prose[]): readonly Prose[] {
  const whole: Prose[] = [];
  for (const { kind, text } of parts) {
    const last = whole.at(-1);
    if (last?.kind === kind) whole[whole.length - 1] = { kind, text: last.text + text };
    else if (text !== '') whole.push({ kind, text });
  }
  return whole;
}

function joined(parts: JsonValue | undefined): string {
  return elementsOf(parts)
    .map((part) => filled(membersOf(part)['text']) ?? '')
    .join('');
}
