/**
 * What a translation between two wire forms is: pure functions over one exchange, from the client's form to the upstream's and
 * back. Who reads and writes sockets, holds limits and aborts is elsewhere (answer.ts and the pipeline).
 */
import type { Flavor } from './flavors.ts';

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };
export type JsonObject = { readonly [name: string]: JsonValue };

/** A wire form: Anthropic's Messages, OpenAI's Chat Completions, OpenAI's Responses. */
export type Form = 'messages' | 'chat' | 'responses';

/** What a translation of one exchange may use beside the bodies. */
export interface TranslationContext {
  /** The model that is sent to the upstream: the candidate's override, else what the client asked. */
  readonly model: string | undefined;
  /** What the client asked; answers that name no model get it. */
  readonly askedModel: string | undefined;
  /** Fills `max_tokens` where the upstream's form requires it and the client sent none. */
  readonly defaultMaxTokens: number;
  /** What the upstream's kind does differently. */
  readonly flavor: Flavor;
  /** What becomes of a part that the other form has no place for: counted as a warning, or refused with a 400 that names it. */
  readonly onLoss: 'warn' | 'refuse';
  /** Counts one loss; `what` is one of a closed list of names, such as `citations` or `top_k`: never content. */
  lost(what: string): void;
  /** For answers that carry no id of their own. */
  readonly exchangeId: string;
  /** Unix time in seconds, for forms that require it. */
  readonly createdSeconds: number;
  /** The client's own request, as far as the form of its answer depends on it, such as `stream_options`; absent: nothing was asked. */
  readonly request?: JsonObject;
}

export interface TranslatedRequest {
  /** Path below the API's root, such as `/v1/chat/completions`. */
  readonly path: string;
  readonly body: JsonObject;
  /** Headers that the upstream's form needs, names and values alternating; the client's own dialect headers are left out. */
  readonly headers: readonly string[];
}

/** One answer as a stream. Bytes in any chunking give the same bytes out; each event leaves as soon as it is known. */
export interface StreamTranslator {
  /** @returns the client's events that these bytes complete; may be empty */
  push(chunk: Buffer): Buffer;
  /** The upstream's stream ended in order. @returns the rest, and whether the answer was whole (its terminal event was seen) */
  end(): { readonly bytes: Buffer; readonly whole: boolean };
  /** The stream ends badly: an error event in the client's form that may follow what was sent so far. */
  farewell(message: string): Buffer;
}

/** Between one client form and one upstream form. Stateless; `stream` makes the state of one answer. */
export interface Translator {
  readonly client: Form;
  readonly upstream: Form;
  /** @throws ProxyError bad_request that names the field which cannot be carried over */
  request(body: JsonObject, context: TranslationContext): TranslatedRequest;
  /** A whole answer with a status below 400. @throws Error when it is not of the upstream's form */
  answer(body: JsonObject, context: TranslationContext): JsonObject;
  /** An answer with a status from 400 on; `text` may be no JSON at all. */
  error(
    status: number,
    text: string,
    context: TranslationContext,
  ): { readonly status: number; readonly body: JsonObject };
  /** @returns the status that a whole answer with a status below 400 should have had: it holds an error instead; undefined for an answer */
  failure?(body: JsonObject): number | undefined;
  stream(context: TranslationContext): StreamTranslator;
}
