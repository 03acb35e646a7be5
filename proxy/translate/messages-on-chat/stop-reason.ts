/** Why the model stopped: `finish_reason` of Chat Completions and its variants → Anthropic's `stop_reason`. */
import type { JsonObject } from '../translator.ts';
import { filled } from '../wire/json.ts';
import type { ErrorType, MessageEnd, StopReason } from '../wire/messages.ts';

/** What is known of a choice's end. */
export interface Finish {
  /** Undefined: the upstream gave none. */
  readonly reason: string | undefined;
  /** The stop sequence that was met, where the upstream tells it. */
  readonly stopSequence: string | undefined;
}

const STOP_REASONS: ReadonlyMap<string, StopReason> = new Map([
  ['stop', 'end_turn'],
  ['length', 'max_tokens'],
  ['tool_calls', 'tool_use'],
  ['function_call', 'tool_use'],
  ['content_filter', 'refusal'],
  // Mistral: the context window is full. https://docs.mistral.ai/api/
  ['model_length', 'model_context_window_exceeded'],
  // What gateways pass on of other APIs: Anthropic's own, Gemini's, those of text generation servers.
  ['end_turn', 'end_turn'],
  ['eos', 'end_turn'],
  ['eos_token', 'end_turn'],
  ['stop_sequence', 'end_turn'],
  ['max_tokens', 'max_tokens'],
  ['tool_use', 'tool_use'],
  ['safety', 'refusal'],
  ['refusal', 'refusal'],
]);

/** Reasons that are failures: what came before them is not an answer. */
const FAILURES: ReadonlyMap<string, ErrorType> = new Map([
  // https://api-docs.deepseek.com/api/create-chat-completion: the system ran out of resources
  ['insufficient_system_resource', 'overloaded_error'],
  // Mistral and routers
  ['error', 'api_error'],
]);

/** @returns the finish that a choice tells; an empty reason is none */
export function finishOf(choice: JsonObject): Finish | undefined {
  // Gemini's are in capitals, where a gateway passes them on.
  const reason = filled(choice['finish_reason'])?.toLowerCase();
  // vLLM and SGLang: the string that was met; a number there is a token's id.
  const stopSequence = filled(choice['stop_reason']) ?? filled(choice['matched_stop']);
  return reason === undefined ? undefined : { reason, stopSequence };
}

export function isKnown({ reason }: Finish): boolean {
  return reason === undefined || STOP_REASONS.has(reason);
}

/** @returns the error that the reason stands for; undefined for an ordinary end */
export function failureOf({ reason }: Finish): ErrorType | undefined {
  return reason === undefined ? undefined : FAILURES.get(reason);
}

/** The answer may end inside a block: the limit cut it, which its stop reason says. */
export function isCutByLimit({ reason }: Finish): boolean {
  const known = reason === undefined ? undefined : STOP_REASONS.get(reason);
  return known === 'max_tokens' || known === 'model_context_window_exceeded';
}

/**
 * @param calls how many tool calls the answer holds. Clients run tools on `tool_use` alone, and wait for ever for tools on a
 *   `tool_use` without one; upstreams say `stop` beside calls (OpenAI itself, when one function is forced) and the reverse
 * @param refused whether the answer held a refusal
 */
export function messageEnd({ reason, stopSequence }: Finish, calls: number, refused: boolean): MessageEnd {
  const told = (reason === undefined ? undefined : STOP_REASONS.get(reason)) ?? 'end_turn';
  if (told === 'refusal' || (refused && told === 'end_turn'))
    return {
      stop_reason: 'refusal',
      stop_sequence: null,
      stop_details: { type: 'refusal', category: null, explanation: null },
    };
  if (told === 'max_tokens' || told === 'model_context_window_exceeded') return plain(told);
  if (calls > 0) return plain('tool_use');
  if (stopSequence !== undefined) return { stop_reason: 'stop_sequence', stop_sequence: stopSequence };
  return plain('end_turn');
}

function plain(reason: StopReason): MessageEnd {
  return { stop_reason: reason, stop_sequence: null };
}
