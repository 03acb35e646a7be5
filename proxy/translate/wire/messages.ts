/**
 * Anthropic's Messages on the wire, as far as we write it; what we read is looked at field by field.
 * https://platform.claude.com/docs/en/api/messages and https://platform.claude.com/docs/en/build-with-claude/streaming
 */
import type { JsonObject, JsonValue } from '../translator.ts';

/**
 * Signature of thinking blocks that we make from reasoning which no one signed. SDKs need a string there; a provider that
 * checks signatures refuses it, as it would an empty one, but a reader of its message sees where the block comes from.
 */
export const UNSIGNED = 'sluice-unsigned';

/** The API takes letters, digits, `_` and `-` in ids of calls; other providers' models make others. Calls and results change alike. */
export function toolUseId(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_-]/g, '_');
}

export type StopReason =
  | 'end_turn'
  | 'max_tokens'
  | 'stop_sequence'
  | 'tool_use'
  | 'pause_turn'
  | 'refusal'
  | 'model_context_window_exceeded';

/** Counts as Anthropic reports them: `input_tokens` excludes what came from or went to a cache. */
export type MessagesUsage = {
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly output_tokens: number;
  readonly output_tokens_details?: { readonly thinking_tokens: number };
};

export type ContentBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: JsonObject };

export type BlockDelta =
  | { readonly type: 'text_delta'; readonly text: string }
  | { readonly type: 'thinking_delta'; readonly thinking: string }
  | { readonly type: 'signature_delta'; readonly signature: string }
  | { readonly type: 'input_json_delta'; readonly partial_json: string };

export type MessageEnd = {
  readonly stop_reason: StopReason;
  readonly stop_sequence: string | null;
  /** Only beside `refusal`. */
  readonly stop_details?: JsonObject;
};

/** One event of a stream; its `type` is also the name on the `event:` line. */
export type MessagesEvent =
  | { readonly type: 'message_start'; readonly message: JsonObject }
  | { readonly type: 'content_block_start'; readonly index: number; readonly content_block: ContentBlock }
  | { readonly type: 'content_block_delta'; readonly index: number; readonly delta: BlockDelta }
  | { readonly type: 'content_block_stop'; readonly index: number }
  | { readonly type: 'message_delta'; readonly delta: MessageEnd; readonly usage: MessagesUsage }
  | { readonly type: 'message_stop' }
  | { readonly type: 'error'; readonly error: MessagesError };

/** https://platform.claude.com/docs/en/api/errors */
export const ERROR_TYPES = [
  'invalid_request_error',
  'authentication_error',
  'billing_error',
  'permission_error',
  'not_found_error',
  'conflict_error',
  'request_too_large',
  'rate_limit_error',
  'api_error',
  'timeout_error',
  'overloaded_error',
] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];

export type MessagesError = { readonly type: ErrorType; readonly message: string };

/** The type that belongs to a status, also where an error has no status of its own. */
export function errorTypeOf(status: number): ErrorType {
  const known = TYPE_OF_STATUS.get(status);
  if (known !== undefined) return known;
  return status >= 500 ? 'api_error' : 'invalid_request_error';
}

const TYPE_OF_STATUS: ReadonlyMap<number, ErrorType> = new Map([
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [408, 'timeout_error'],
  [409, 'conflict_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
  [504, 'timeout_error'],
  [529, 'overloaded_error'],
]);

/** A message as a whole, or its beginning when nothing is known but who speaks. */
export function message(
  head: { readonly id: string; readonly model: string },
  content: readonly ContentBlock[],
  end: MessageEnd | undefined,
  usage: MessagesUsage,
): JsonObject {
  const open: { readonly [name: string]: JsonValue } = { stop_reason: null, stop_sequence: null };
  return { id: head.id, type: 'message', role: 'assistant', model: head.model, content, ...(end ?? open), usage };
}
