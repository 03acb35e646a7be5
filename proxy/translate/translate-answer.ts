/** An upstream's answer → the same answer in the client's form, as a body of our own: events one by one, anything else whole. */
import type { Transform } from 'node:stream';
import type { Dialect } from '#contract/dialect.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { decoderFor } from '../dispatch/decompress.ts';
import { ProxyError } from '../errors.ts';
import { foldStream } from '../fold/fold-stream.ts';
import { unfold } from '../fold/unfold.ts';
import { filterHeaders, headerValue } from '../listen/raw-headers.ts';
import { AnswerBody, type BodySink } from '../stream/answer-body.ts';
import { isEventStream } from '../stream/scan.ts';
import { DecodingSink, decodedFlow, TranslatingSink } from './translating-sink.ts';
import type { JsonObject, TranslationContext, Translator } from './translator.ts';

/** Longest answer that is translated as a whole. */
const WHOLE_BYTES = 32 * 1024 ** 2;

export interface AnswerTranslation {
  readonly translator: Translator;
  readonly context: TranslationContext;
  /** The client's dialect. */
  readonly dialect: Dialect;
  /** Whether the client asked for a stream. */
  readonly stream: boolean;
  readonly signal: AbortSignal;
}

/** @throws ProxyError upstream_broke when the answer is not of the upstream's form; the signal's reason */
export async function translateAnswer(answer: UpstreamAnswer, translation: AnswerTranslation): Promise<UpstreamAnswer> {
  const events = isEventStream(answer.rawHeaders);
  const decoder = decoderFor(answer.rawHeaders, ['accept-encoding', 'identity']);
  if (answer.status < 400 && events && translation.stream) return translateStream(answer, translation, decoder);
  const bytes = await collect(answer, decoder, translation.signal);
  return whole(answer, translation, bytes, events);
}

function translateStream(
  answer: UpstreamAnswer,
  { translator, context, dialect }: AnswerTranslation,
  decoder: Transform | undefined,
): UpstreamAnswer {
  const stream = translator.stream(context);
  const upstream = decoder ? decodedFlow(decoder, answer.body) : answer.body;
  const flow = {
    pause: () => upstream.pause(),
    resume: () => upstream.resume(),
    abort: (reason: Error) => upstream.abort(reason),
  };
  const body = new AnswerBody(flow, (reason) => stream.farewell(reason));
  const sink = new TranslatingSink(stream, body, upstream);
  answer.body.consume(decoder ? new DecodingSink(decoder, sink, answer.body) : sink);
  return { ...answer, dialect, rawHeaders: clientHeaders(answer.rawHeaders, 'text/event-stream'), body };
}

function whole(
  answer: UpstreamAnswer,
  { translator, context, dialect, stream }: AnswerTranslation,
  bytes: Buffer,
  events: boolean,
): UpstreamAnswer {
  const text = bytes.toString('utf8');
  const isError = answer.status >= 400;
  const found = isError ? undefined : events ? folded(translator, bytes) : parsed(text);
  const failed = isError ? answer.status : found && translator.failure?.(found);
  if (failed !== undefined) {
    const { status, body } = translator.error(failed, text, context);
    // The reason phrase may be of a status that is no longer there.
    const statusMessage = status === answer.status ? answer.statusMessage : '';
    return made({ ...answer, status, statusMessage, dialect }, 'application/json', Buffer.from(JSON.stringify(body)));
  }
  if (found === undefined) throw broke(answer, translator);
  if (stream) return made({ ...answer, dialect }, 'text/event-stream', streamed(answer, translator, context, found));
  return made({ ...answer, dialect }, 'application/json', translated(answer, translator, context, found));
}

/** An answer of ours that is all there. */
function made(answer: UpstreamAnswer, contentType: string, bytes: Buffer): UpstreamAnswer {
  const body = new AnswerBody({ pause() {}, resume() {}, abort() {} });
  body.push(bytes);
  body.finish([]);
  const rawHeaders = [...clientHeaders(answer.rawHeaders, contentType), 'content-length', String(bytes.length)];
  return { ...answer, rawHeaders, body };
}

/** For clients that asked for a stream of an upstream that did not give one. */
function streamed(
  answer: UpstreamAnswer,
  translator: Translator,
  context: TranslationContext,
  found: JsonObject,
): Buffer {
  if (translator.upstream === 'responses') throw broke(answer, translator);
  const stream = translator.stream(context);
  const first = stream.push(unfold(translator.upstream, found));
  const { bytes, whole: isWhole } = stream.end();
  if (!isWhole) throw broke(answer, translator);
  return Buffer.concat([first, bytes]);
}

function translated(
  answer: UpstreamAnswer,
  translator: Translator,
  context: TranslationContext,
  found: JsonObject,
): Buffer {
  try {
    return Buffer.from(JSON.stringify(translator.answer(found, context)));
  } catch {
    // Its message may quote the answer; one that nests too deep cannot be written either.
    throw broke(answer, translator);
  }
}

function broke({ upstream }: UpstreamAnswer, { upstream: form }: Translator): ProxyError {
  const message = `Upstream "${upstream.name}" answered something that is no whole ${form} answer`;
  return new ProxyError('upstream_broke', message, { upstream: upstream.name });
}

/** For clients that asked for one answer of an upstream that only streams. */
function folded(translator: Translator, bytes: Buffer): JsonObject | undefined {
  const fold = foldStream(translator.upstream, bytes);
  return fold?.whole ? fold.answer : undefined;
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** What is said of the upstream's own bytes goes; SDKs of each dialect look for the request's id under another name. */
function clientHeaders(rawHeaders: readonly string[], contentType: string): string[] {
  const kept = filterHeaders(
    rawHeaders,
    (name) =>
      !['content-type', 'content-length', 'content-encoding', 'etag', 'digest', 'content-digest'].includes(name),
  );
  const id = headerValue(kept, 'request-id') ?? headerValue(kept, 'x-request-id');
  for (const name of ['request-id', 'x-request-id']) {
    if (id !== undefined && headerValue(kept, name) === undefined) kept.push(name, id);
  }
  kept.push('content-type', contentType);
  return kept;
}

/** The whole body, decoded. @throws ProxyError upstream_broke; the signal's reason */
function collect(answer: UpstreamAnswer, decoder: Transform | undefined, signal: AbortSignal): Promise<Buffer> {
  const done = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let length = 0;
  const broke = (what: string): void => {
    const { name } = answer.upstream;
    done.reject(new ProxyError('upstream_broke', `Upstream "${name}" ${what}`, { upstream: name }));
  };
  const sink: BodySink = {
    chunk(bytes) {
      timer?.refresh();
      length += bytes.length;
      if (length > WHOLE_BYTES) broke(`answered more than ${WHOLE_BYTES} bytes, which cannot be translated`);
      else chunks.push(bytes);
    },
    end: () => done.resolve(Buffer.concat(chunks)),
    cut: () => broke('closed the connection before its answer was whole'),
  };
  const onAbort = (): void => done.reject(signal.reason as Error);
  const { idleMs } = answer.upstream.timeouts;
  const timer =
    idleMs > 0 ? setTimeout(() => broke(`passed its limit timeouts.idle of ${idleMs} ms`), idleMs) : undefined;
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  else answer.body.consume(decoder ? new DecodingSink(decoder, sink, answer.body) : sink);
  return done.promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    decoder?.destroy();
    answer.body.abort(new Error('Its answer was collected'));
  });
}
