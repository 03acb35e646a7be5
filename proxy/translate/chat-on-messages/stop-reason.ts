/** Why the model stopped: Anthropic's `stop_reason` → OpenAI's `finish_reason`. */
import type { JsonObject, JsonValue } from '../translator.ts';
import type { FinishReason } from '../wire/chat.ts';
import { filled, membersOf } from '../wire/json.ts';
import type { StopReason } from '../wire/messages.ts';

const FINISH_REASONS: Readonly<Record<StopReason, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  // The API's own loop of server tools paused; a Chat client has no way to continue it but to ask again.
  pause_turn: 'stop',
  refusal: 'content_filter',
};

export interface Stop {
  readonly reason: FinishReason;
  /** The upstream's reason was one that nobody knows. */
  readonly unknown: boolean;
}

/**
 * @param reason as the answer gives it; null and undefined when it gave none
 * @param calls how many tool calls the answer holds: clients wait for `tool_calls` when there are some, and fail on it when there are none
 * @param functions the client waits for calls in the form before tools
 */
export function finishReason(reason: JsonValue | undefined, calls: number, functions: boolean): Stop {
  const known = Object.entries(FINISH_REASONS).find(([name]) => name === reason)?.[1];
  const unknown = known === undefined && filled(reason) !== undefined;
  if (known === 'length' || known === 'content_filter') return { reason: known, unknown };
  if (calls === 0) return { reason: 'stop', unknown };
  return { reason: functions ? 'function_call' : 'tool_calls', unknown };
}

/** What the model says about its refusal, if it refused and says something. */
export function refusalOf(end: JsonObject): string | undefined {
  return end['stop_reason'] === 'refusal' ? filled(membersOf(end['stop_details'])['explanation']) : undefined;
}
