/** OpenAI's Chat Completions as we write them: whole answers, chunks of a stream, errors. */
import type { JsonObject } from '../translator.ts';

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'function_call';

// Types, not interfaces: these are written as JSON, and only a type is assignable to JsonObject.
export type ChatUsage = {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number; readonly cache_write_tokens: number };
  readonly completion_tokens_details: { readonly reasoning_tokens: number };
};

export type ChatToolCall = {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
};

export type ChatErrorBody = {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
};

/** What all chunks of one stream, and its whole answer, have in common. */
export type ChatHead = { readonly id: string; readonly created: number; readonly model: string };

/** One chunk with one choice. @param withUsage the client asked for usage: all chunks but the last carry it as null */
export function chatChunk(
  { id, created, model }: ChatHead,
  delta: JsonObject,
  finish: FinishReason | null,
  withUsage: boolean,
): JsonObject {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
  return { id, object: 'chat.completion.chunk', created, model, choices, ...(withUsage && { usage: null }) };
}

/** The chunk behind the last choice, for clients that asked for it. */
export function chatUsageChunk({ id, created, model }: ChatHead, usage: ChatUsage): JsonObject {
  return { id, object: 'chat.completion.chunk', created, model, choices: [], usage };
}

export function chatError(message: string, type: string, code: string | null): ChatErrorBody {
  return { error: { message, type, param: null, code } };
}
