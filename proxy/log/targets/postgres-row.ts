/** Records -> lines of PostgreSQL's COPY text format. What the server cannot hold is replaced, and counted in the row. */
import { COLUMNS, type ColumnName } from './postgres-schema.ts';
import type { SinkRecord } from './sink.ts';

/** Enough for people and queries; the whole value is in the record. An index could not hold much more. */
const MAX_TEXT = 256;
const REPLACEMENT = '\\ufffd';

/** What is read of a record; members that are not what they should be count as absent. */
interface Read {
  readonly exchange?: unknown;
  readonly hop?: unknown;
  readonly chained?: unknown;
  readonly times?: { readonly received?: unknown };
  readonly offsetsMs?: { readonly ended?: unknown };
  readonly workload?: { readonly namespace?: unknown; readonly pod?: unknown };
  readonly route?: unknown;
  readonly upstream?: unknown;
  readonly model?: { readonly asked?: unknown; readonly sent?: unknown; readonly answered?: unknown };
  readonly agent?: unknown;
  readonly status?: unknown;
  readonly end?: unknown;
  readonly usage?: Readonly<Record<string, unknown>>;
}

/** One line each, newline included. */
export function copyLines(records: readonly SinkRecord[]): Buffer {
  return Buffer.from(records.map(copyLine).join(''));
}

function copyLine({ id, json }: SinkRecord): string {
  const { text, replaced } = storable(json.toString('utf8'));
  const columns = extract(id, JSON.parse(text) as Read);
  const fields = COLUMNS.map(([name]) => {
    if (name === 'record') return escapeCopy(text);
    if (name === 'replaced_characters') return String(replaced);
    const value = columns[name];
    return value === undefined ? '\\N' : escapeCopy(String(value));
  });
  return `${fields.join('\t')}\n`;
}

type Extracted = {
  readonly [Name in Exclude<ColumnName, 'record' | 'replaced_characters'>]: string | number | undefined;
};

function extract(id: string, record: Read): Extracted {
  const { model, usage = {}, workload } = record;
  return {
    id,
    exchange: text(record.exchange),
    hop: text(record.hop),
    chained: String(record.chained === true),
    received_at: text(record.times?.received),
    namespace: text(workload?.namespace),
    pod: text(workload?.pod),
    route: text(record.route),
    upstream: text(record.upstream),
    model: text(model?.answered) ?? text(model?.sent) ?? text(model?.asked),
    agent: text(record.agent),
    status: whole(record.status),
    stream_end: text(record.end),
    duration_ms: typeof record.offsetsMs?.ended === 'number' ? record.offsetsMs.ended : undefined,
    input_tokens: whole(usage['inputTokens']),
    cache_read_tokens: whole(usage['cacheReadTokens']),
    cache_write_tokens: whole(usage['cacheWriteTokens']),
    output_tokens: whole(usage['outputTokens']),
  };
}

function text(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  // A cut may fall between the halves of a character.
  return value.slice(0, MAX_TEXT).toWellFormed();
}

function whole(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}

/** A pair of surrogates, one character by its number, any other escape: in turn, so that an escaped backslash hides nothing. */
const ESCAPE = /\\u(?:d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|([0-9a-f]{4}))|\\[^u]/gi;
const UNSTORABLE = /^(?:0000|d[89a-f][0-9a-f]{2})$/i;
/** Quick to rule out: a record of many MiB has an escape every few characters. */
const SUSPECT = /\\u(?:0000|d[89a-f])/i;

/** jsonb takes neither NUL nor half a surrogate pair, which JSON text can write as escapes. */
export function storable(json: string): { readonly text: string; readonly replaced: number } {
  if (!SUSPECT.test(json)) return { text: json, replaced: 0 };
  let replaced = 0;
  const text = json.replaceAll(ESCAPE, (found, code?: string) => {
    if (code === undefined || !UNSTORABLE.test(code)) return found;
    replaced += 1;
    return REPLACEMENT;
  });
  return { text, replaced };
}

function escapeCopy(value: string): string {
  const escaped = value.replaceAll('\\', '\\\\');
  return escaped.replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}
