/** The parameters of /gateway/audit → what is asked for, or what is wrong with them. */
import { STREAM_ENDS } from '#contract/stream-end.ts';
import { type AuditQuery, RUNNING } from '../../log/audit/messages.ts';

const MOST_LENGTH = 512;
const MOST_HITS = 200;
const DEFAULT_HITS = 50;
const MOST_EXPORTED = 100_000;
const DEFAULT_EXPORTED = 1_000;
const ENDS: readonly string[] = [...STREAM_ENDS, RUNNING];
const PARAMETERS = ['q', 'from', 'to', 'route', 'model', 'end', 'agent', 'id', 'limit', 'cursor'] as const;
type Parameter = (typeof PARAMETERS)[number];

/**
 * @param whole whether whole records are asked for, which may be more
 * @returns the problem as a sentence that tells the way out
 */
export function readQuery(search: URLSearchParams, whole: boolean): AuditQuery | string {
  const unknown = [...search.keys()].find((name) => !PARAMETERS.some((known) => known === name));
  if (unknown !== undefined) return `Use ${PARAMETERS.join(', ')}: "${unknown.slice(0, 80)}" is no parameter`;
  const get = (name: Parameter): string | undefined => search.get(name)?.trim() || undefined;
  const long = PARAMETERS.find((name) => (get(name)?.length ?? 0) > MOST_LENGTH);
  if (long !== undefined) return `Write at most ${MOST_LENGTH} characters for ${long}`;
  const from = readTime('from', get('from'));
  const to = readTime('to', get('to'));
  const most = whole ? MOST_EXPORTED : MOST_HITS;
  const limit = readWhole('limit', get('limit'), most);
  const before = readWhole('cursor', get('cursor'), Number.MAX_SAFE_INTEGER);
  for (const read of [from, to, limit, before]) if (typeof read === 'string') return read;
  const end = get('end');
  if (end !== undefined && !ENDS.includes(end)) return `Use one of ${ENDS.join(', ')} for end`;
  const filter = {
    text: get('q'),
    fromEpochMs: from,
    toEpochMs: to,
    route: get('route'),
    model: get('model'),
    end,
    agent: get('agent'),
    id: get('id'),
  };
  return {
    filter: Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)),
    limit: Math.max(1, Number(limit ?? (whole ? DEFAULT_EXPORTED : DEFAULT_HITS))),
    ...(before !== undefined && { before: Number(before) }),
    whole,
  };
}

/** Milliseconds since the epoch, or what Date understands. */
function readTime(name: Parameter, text: string | undefined): number | string | undefined {
  if (text === undefined) return undefined;
  const at = /^[0-9]{10,15}$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isNaN(at) ? `Write ${name} as a time such as 2026-01-31T12:00:00Z` : at;
}

function readWhole(name: Parameter, text: string | undefined, most: number): number | string | undefined {
  if (text === undefined) return undefined;
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return value <= most ? value : `Write ${name} as a whole number, at most ${most}`;
}
