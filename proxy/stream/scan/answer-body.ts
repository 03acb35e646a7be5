/** Usage and model of an answer that is whole and read at the end: a plain JSON answer, or a stream that came compressed. */
import type { Dialect } from '#contract/dialect.ts';
import { headerValue, mediaType, scannerFor } from '../scan.ts';
import { modelName } from './facts.ts';
import { anthropicUsage, laterUsage, objectOf, openaiUsage, type Usage } from './usage.ts';

/** Of a plain answer's body this much is kept for its usage, whatever the log keeps: 1 MiB parses in a few milliseconds. */
export const USAGE_BODY_BYTES = 1024 * 1024;

export interface AnswerReading {
  readonly model: string | undefined;
  readonly usage: Usage | undefined;
}

export const NOTHING_READ: AnswerReading = { model: undefined, usage: undefined };

/**
 * @param path of the client's request, without query
 * @param rawHeaders of the answer
 * @param body with its content-encoding undone
 */
export function readAnswerBody(
  dialect: Dialect,
  path: string,
  rawHeaders: readonly string[],
  body: Buffer,
): AnswerReading {
  const type = headerValue(rawHeaders, 'content-type');
  if (type === undefined) return NOTHING_READ;
  if (mediaType(type) === 'text/event-stream') {
    const scanner = scannerFor(dialect, path, ['content-type', type]);
    scanner.push(body);
    return { model: scanner.model, usage: scanner.usage };
  }
  return bearsUsage(dialect, path) && mediaType(type).endsWith('json') ? readJson(dialect, body) : NOTHING_READ;
}

/** Whether a plain answer's body has to be kept for its usage. */
export function isPlainJson(rawHeaders: readonly string[]): boolean {
  const type = headerValue(rawHeaders, 'content-type');
  return type !== undefined && mediaType(type).endsWith('json');
}

/** Not count_tokens, batches or files: their numbers are no usage of this exchange. */
function bearsUsage(dialect: Dialect, path: string): boolean {
  const known = ['/v1/messages', '/v1/chat/completions', '/v1/responses', '/v1/embeddings'];
  return dialect !== 'raw' && known.includes(path);
}

function readJson(dialect: Dialect, body: Buffer): AnswerReading {
  if (body.length > USAGE_BODY_BYTES) return NOTHING_READ;
  try {
    const { model, usage } = objectOf(JSON.parse(body.toString('utf8')));
    const read = dialect === 'anthropic' ? anthropicUsage(usage) : openaiUsage(usage);
    return { model: modelName(model), usage: laterUsage(undefined, read) };
  } catch {
    return NOTHING_READ;
  }
}
