/** One page of a search, newest first. It stops after some time even where little was found, so that adding never waits long. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { matchText } from './match-text.ts';
import {
  type AuditFilter,
  type AuditHit,
  type AuditPage,
  type AuditQuery,
  RUNNING,
  type SnippetPart,
} from './messages.ts';
import { jsonOf, MATCH_BEGINS, MATCH_ENDS, type RowFacts } from './row.ts';

/** How long one page may be searched for; the next one goes on from there. */
const MOST_MS = 300;
/** Whole records of one page; at least one is given whatever its size. */
const MOST_BYTES = 4 * 1024 * 1024;
const SNIPPET_CHARACTERS = 160;

type Row = Readonly<Record<string, SQLOutputValue>>;
type Statements = { readonly [Name in keyof typeof STATEMENTS]: StatementSync };

const COLUMNS = 'records.seq AS seq, records.id AS id, exchange, at, facts';
const STATEMENTS = {
  all: `SELECT ${COLUMNS} FROM records WHERE seq < ? ORDER BY seq DESC`,
  matching: `SELECT ${COLUMNS} FROM texts JOIN records ON records.seq = texts.rowid WHERE texts MATCH ? AND texts.rowid < ? ORDER BY texts.rowid DESC`,
  byId: `SELECT ${COLUMNS} FROM records WHERE (id = ?1 OR exchange = ?1) AND seq < ?2 ORDER BY seq DESC`,
  snippet: `SELECT snippet(texts, -1, char(2), char(3), '…', 24) AS snippet FROM texts WHERE texts MATCH ? AND rowid = ?`,
  beginning: `SELECT substr(prompt, -${SNIPPET_CHARACTERS}) AS prompt, substr(answer, 1, ${SNIPPET_CHARACTERS}) AS answer FROM texts WHERE rowid = ?`,
  json: 'SELECT json FROM records WHERE seq = ?',
  whole: 'SELECT json FROM records WHERE id = ?1 OR exchange = ?1 ORDER BY id = ?1 DESC, seq DESC LIMIT 1',
} as const;

export class AuditSearch {
  readonly #sql: Statements;

  constructor(db: DatabaseSync) {
    const names = Object.keys(STATEMENTS) as (keyof typeof STATEMENTS)[];
    this.#sql = Object.fromEntries(names.map((name) => [name, db.prepare(STATEMENTS[name])])) as Statements;
  }

  /** The record as JSON, by its id or the exchange's. */
  whole(id: string): string | undefined {
    const row = this.#sql.whole.get(id);
    return row && jsonOf(row['json']);
  }

  page({ filter, limit, before = Number.MAX_SAFE_INTEGER, whole }: AuditQuery): AuditPage {
    const match = filter.text === undefined ? undefined : matchText(filter.text);
    const until = performance.now() + MOST_MS;
    const hits: AuditHit[] = [];
    const records: string[] = [];
    let bytes = 0;
    // Words that the index does not know at all, such as a lone dash: nothing holds them.
    if (filter.text !== undefined && match === undefined) return { hits, records };
    for (const row of this.#rows(filter, match, before)) {
      const seq = Number(row['seq']);
      const facts = JSON.parse(String(row['facts'])) as RowFacts;
      if (isAsked(filter, row) && matches(filter, facts, Number(row['at']))) {
        if (whole) records.push(jsonOf(this.#sql.json.get(seq)?.['json']));
        else hits.push(hitOf(row, facts, this.#snippet(match, seq)));
        bytes += records.at(-1)?.length ?? 0;
      }
      const full = hits.length + records.length >= limit || bytes >= MOST_BYTES;
      if (full || performance.now() > until) return { hits, records, next: seq };
    }
    return { hits, records };
  }

  #rows(filter: AuditFilter, match: string | undefined, before: number): Iterable<Row> {
    if (match !== undefined) return this.#sql.matching.iterate(match, before);
    if (filter.id !== undefined) return this.#sql.byId.iterate(filter.id, before);
    return this.#sql.all.iterate(before);
  }

  #snippet(match: string | undefined, seq: number): SnippetPart[] {
    if (match !== undefined) return partsOf(String(this.#sql.snippet.get(match, seq)?.['snippet'] ?? ''));
    const row = this.#sql.beginning.get(seq);
    const text = [row?.['prompt'], row?.['answer']]
      .filter((part) => typeof part === 'string' && part !== '')
      .join(' … ');
    return partsOf(text);
  }
}

function isAsked({ id }: AuditFilter, row: Row): boolean {
  return id === undefined || row['id'] === id || row['exchange'] === id;
}

function matches(filter: AuditFilter, facts: RowFacts, atEpochMs: number): boolean {
  const { fromEpochMs, toEpochMs, route, model, end, agent } = filter;
  if (fromEpochMs !== undefined && atEpochMs < fromEpochMs) return false;
  if (toEpochMs !== undefined && atEpochMs >= toEpochMs) return false;
  if (route !== undefined && facts.route !== route) return false;
  if (end !== undefined && (facts.end ?? RUNNING) !== end) return false;
  if (agent !== undefined && facts.agent !== agent) return false;
  return model === undefined || facts.models.some((name) => isLike(name, model));
}

/** Globs without a pattern engine: the parts between stars must follow one another. */
function isLike(name: string, glob: string): boolean {
  const [first = '', ...rest] = glob.split('*');
  if (rest.length === 0) return name === glob;
  if (!name.startsWith(first)) return false;
  const last = rest.pop() ?? '';
  let from = first.length;
  for (const part of rest) {
    const at = name.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return name.length - last.length >= from && name.endsWith(last);
}

function hitOf(row: Row, { models, ...facts }: RowFacts, snippet: readonly SnippetPart[]): AuditHit {
  const model = models.at(-1);
  return {
    id: String(row['id']),
    exchange: String(row['exchange']),
    received: new Date(Number(row['at'])).toISOString(),
    ...facts,
    ...(model !== undefined && { model }),
    snippet,
  };
}

function partsOf(marked: string): SnippetPart[] {
  return marked.split(MATCH_BEGINS).flatMap((part, index): SnippetPart[] => {
    const [inside = '', outside] = index === 0 ? ['', part] : part.split(MATCH_ENDS, 2);
    return [
      ...(inside === '' ? [] : [{ text: inside, match: true } as const]),
      ...(outside ? [{ text: outside }] : []),
    ];
  });
}
