/** Chunks that say one thing only, a piece more of what is being said: the pattern of the quick path (quick-path.ts). */
import type { Flavor } from '../flavors.ts';
import type { Piece } from '../quick-path.ts';
import type { SseEvent } from '../sse.ts';
import type { JsonObject, JsonValue } from '../translator.ts';
import { filled, isObject, membersOf, parseObject } from '../wire/json.ts';
import { errorIn } from './error.ts';
import { choiceOf } from './head.ts';
import { finishOf } from './stop-reason.ts';
import { idOf } from './tool-calls.ts';
import { usageOf } from './usage.ts';

export interface PieceOptions {
  readonly flavor: Flavor;
  /** Number of the choice that is answered with. */
  readonly choice: number | undefined;
}

/** @returns undefined for a chunk that says anything else, or anything beside */
export function pieceOf({ name, data }: SseEvent, { flavor, choice: number }: PieceOptions): Piece | undefined {
  const chunk = name === 'error' ? undefined : parseObject(data);
  if (chunk === undefined || errorIn(chunk) !== undefined || usageOf(chunk) !== undefined) return undefined;
  const choice = choiceOf(chunk, number);
  const delta = choice?.['delta'];
  if (choice === undefined || finishOf(choice) !== undefined || !isObject(delta)) return undefined;
  const [member, ...others] = Object.keys(delta).filter((key) => key !== 'role' && !isEmpty(delta[key]));
  if (member === undefined || others.length > 0) return undefined;
  if (member === 'tool_calls') return argumentsIn(delta[member]);
  const text = filled(delta[member]);
  const kind = member === 'content' ? 'text' : flavor.reasoningFields.includes(member) ? 'thinking' : undefined;
  return text === undefined || kind === undefined ? undefined : { kind, index: 0, text };
}

/** More arguments of one call that is known already. */
function argumentsIn(calls: JsonValue | undefined): Piece | undefined {
  const call = Array.isArray(calls) && calls.length === 1 ? membersOf(calls[0] as JsonValue) : {};
  const called = membersOf(call['function']);
  const { index } = call;
  const text = filled(called['arguments']);
  if (typeof index !== 'number' || text === undefined || idOf(call) !== undefined || !isNameless(called))
    return undefined;
  return { kind: 'call', index, text };
}

function isNameless(called: JsonObject): boolean {
  return filled(called['name']) === undefined;
}

function isEmpty(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
}
