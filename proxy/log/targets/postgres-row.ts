/** Records -> rows for PostgreSQL's COPY (COPY_BATCH). What the server cannot hold is replaced, and counted in the row. */
import { COLUMNS, type ColumnName, DELIMITER, QUOTE } from './postgres-schema.ts';
import { readHead } from './record-head.ts';
import type { SinkRecord } from './sink.ts';
import { storable } from './storable.ts';

/** Enough for people and queries; the whole value is in the record. An index could not hold much more. */
const MAX_TEXT = 256;
/** The record stands last in its row, as it is: JSON text has no QUOTE in it. */
const ROW_END = Buffer.from(`${QUOTE}\n`);

/** What is read of a record; members that are not what they should be count as absent. */
interface Read {
  readonly sequence?: unknown;
  readonly partial?: unknown;
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

/** One row each. */
export function copyRows(records: readonly SinkRecord[]): Buffer {
  return Buffer.concat(records.flatMap(copyRow));
}

function copyRow(record: SinkRecord): Buffer[] {
  const { json, replaced } = storable(record.json);
  const columns = extract(record.id, readHead(json) as Read);
  const fields = COLUMNS.map(([name]) => {
    if (name === 'record') return QUOTE;
    if (name === 'replaced_characters') return String(replaced);
    const value = columns[name];
    return value === undefined ? '' : quoted(String(value));
  });
  return [Buffer.from(fields.join(DELIMITER)), json, ROW_END];
}

/** What is not quoted and empty is NULL. */
function quoted(value: string): string {
  return `${QUOTE}${value.replaceAll(QUOTE, QUOTE + QUOTE)}${QUOTE}`;
}

type Extracted = {
  readonly [Name in Exclude<ColumnName, 'record' | 'replaced_characters'>]: string | number | undefined;
};

function extract(id: string, record: Read): Extracted {
  const { model, usage = {}, workload } = record;
  return {
    id,
    sequence: whole(record.sequence) ?? 0,
    partial: String(record.partial === true),
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
