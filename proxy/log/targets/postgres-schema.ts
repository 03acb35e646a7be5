/** The table of the `postgres` target: its columns, and how it comes to be. A new column is a line here: it is added where it is missing. */

/** Name, type, and what the definition adds; in the order in which rows are copied. */
export const COLUMNS = [
  ['id', 'uuid', 'primary key'],
  ['sequence', 'integer', 'not null default 0'],
  ['partial', 'boolean', 'not null default false'],
  ['exchange', 'uuid', ''],
  ['hop', 'text', ''],
  ['chained', 'boolean', 'not null default false'],
  ['received_at', 'timestamptz', 'not null'],
  ['namespace', 'text', ''],
  ['pod', 'text', ''],
  ['route', 'text', ''],
  ['upstream', 'text', ''],
  ['model', 'text', ''],
  ['agent', 'text', ''],
  ['status', 'integer', ''],
  ['stream_end', 'text', ''],
  ['duration_ms', 'double precision', ''],
  ['input_tokens', 'bigint', ''],
  ['cache_read_tokens', 'bigint', ''],
  ['cache_write_tokens', 'bigint', ''],
  ['output_tokens', 'bigint', ''],
  ['replaced_characters', 'integer', 'not null default 0'],
  ['record', 'jsonb', 'not null'],
] as const;

export type ColumnName = (typeof COLUMNS)[number][0];

const NAMES = COLUMNS.map(([name]) => name).join(', ');
const BATCH_TABLE = 'sluice_batch';

/** Names of the table's columns; no row: there is no such table on the search path. Parameter: the table's name. */
export const READ_COLUMNS =
  'select attname as name from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped';

/** Two sidecars that start at once would otherwise trip over each other while they create the table. */
export const LOCK_SCHEMA = "select pg_advisory_xact_lock(hashtext('sluice ' || $1))";

/** @param table checked at the config's door: lower-case letters, digits and _ */
export function createTable(table: string): string {
  const columns = COLUMNS.map(([name, type, more]) => `${name} ${type} ${more}`.trim());
  columns.push('stored_at timestamptz not null default now()');
  return `create table "${table}" (${columns.join(', ')}); create index on "${table}" (received_at)`;
}

/** Adds what an earlier version's table lacks. */
export function addColumns(table: string, present: ReadonlySet<string>): string {
  const missing = COLUMNS.filter(([name]) => !present.has(name));
  const parts = missing.map(([name, type, more]) => `add column ${name} ${type} ${more}`.trim());
  return `alter table "${table}" ${parts.join(', ')}`;
}

export function lacksColumns(present: ReadonlySet<string>): boolean {
  return COLUMNS.some(([name]) => !present.has(name));
}

/** Settings are the transaction's, not the session's, so that a pooler between us and the server can share its connections. */
export function beginBatch(timeoutMs: number): string {
  const columns = COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ');
  return `begin; set local statement_timeout = ${timeoutMs}; create temporary table ${BATCH_TABLE} (${columns}) on commit drop`;
}

/** Characters that JSON text never has outside of an escape: a record is copied as it is, byte by byte, whatever it says. */
export const QUOTE = '\x01';
export const DELIMITER = '\x02';
export const COPY_BATCH = `copy ${BATCH_TABLE} (${NAMES}) from stdin with (format csv, quote e'\\x01', delimiter e'\\x02')`;

/**
 * A record that is there already stays.
 * @param replacing states of records of which an older one may be there: the highest sequence stays, in whatever order they come.
 *   This takes the right to update, which nobody needs who does not record running streams
 */
export function insertBatch(table: string, replacing: boolean): string {
  if (!replacing)
    return `insert into "${table}" (${NAMES}) select ${NAMES} from ${BATCH_TABLE} on conflict (id) do nothing; commit`;
  const others = COLUMNS.filter(([name]) => name !== 'id').map(([name]) => `${name} = excluded.${name}`);
  // One statement changes a row once at most.
  const newest = `select distinct on (id) ${NAMES} from ${BATCH_TABLE} order by id, sequence desc`;
  return (
    `insert into "${table}" as kept (${NAMES}) ${newest} on conflict (id) do update ` +
    `set ${others.join(', ')}, stored_at = now() where excluded.sequence > kept.sequence; commit`
  );
}
