/**
 * Thinking blocks of an answer on their way to the client and back. A later turn may hold them only as they were: each with its
 * signature, at its place among text and calls. OpenAI's form has a place for neither, so they travel as `thinking_blocks`
 * beside `reasoning_content` (the name is LiteLLM's, whose clients return it), with `after` for the place.
 */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { elementsOf, filled, membersOf } from '../wire/json.ts';
import { UNSIGNED } from '../wire/messages.ts';
import { textBlocks } from './content.ts';
import { given, textOf } from './field.ts';
import { remark } from './loss.ts';

/** What of the answer comes before a block. */
export interface Place {
  readonly characters: number;
  readonly calls: number;
}

/** What the client may send back of a thinking block. @param index its number among these blocks */
export function returnable(block: JsonObject, index: number, after: Place): JsonObject[] {
  const signed = signedBlock(block);
  return signed === undefined ? [] : [{ index, ...signed, after: { ...after } }];
}

export interface PlacedThinking {
  readonly block: JsonObject;
  readonly after: Place;
}

/** Thinking blocks that an assistant's message brings back. Those that are not as they were are left out and counted. */
export function returnedThinking(message: JsonObject, context: TranslationContext): readonly PlacedThinking[] {
  const returned = elementsOf(given(message, 'thinking_blocks'));
  const placed = returned.map(placedThinking).filter((block) => block !== undefined);
  // All or none: the API refuses a turn of which one is missing. Some accumulators keep the last one alone.
  if (placed.length > 0 && placed.length === returned.length) return placed;
  if (returned.length > 0 || textOf(given(message, 'reasoning_content'))) remark(context, 'reasoning_content');
  return [];
}

/** Blocks of an assistant's turn in the order in which they were said. @param text as the client sent it back */
export function inOrder(thinking: readonly PlacedThinking[], text: string, calls: readonly JsonObject[]): JsonObject[] {
  const order: JsonObject[] = [];
  let said = 0;
  let called = 0;
  for (const { block, after } of thinking) {
    for (const earlier of textBlocks(text.slice(said, after.characters))) order.push(earlier);
    for (const call of calls.slice(called, after.calls)) order.push(call);
    order.push(block);
    said = Math.max(said, after.characters);
    called = Math.max(called, after.calls);
  }
  return [...order, ...textBlocks(text.slice(said)), ...calls.slice(called)];
}

function placedThinking(value: JsonValue, index: number): PlacedThinking | undefined {
  const returned = membersOf(value);
  const block = signedBlock(returned);
  const { characters, calls } = membersOf(returned['after']);
  if (block === undefined || (returned['index'] ?? index) !== index) return undefined;
  return { block, after: { characters: count(characters), calls: count(calls) } };
}

function signedBlock({ type, thinking, signature, data }: JsonObject): JsonObject | undefined {
  const seal = filled(type === 'redacted_thinking' ? data : signature);
  if (seal === undefined || seal === UNSIGNED) return undefined;
  if (type === 'redacted_thinking') return { type, data: seal };
  return type === 'thinking' && typeof thinking === 'string' ? { type, thinking, signature: seal } : undefined;
}

function count(value: JsonValue | undefined): number {
  return typeof value === 'number' && value > 0 ? value : 0;
}
