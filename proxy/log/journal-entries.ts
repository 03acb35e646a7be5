/** Journal lines -> the exchanges that they leave open. Lines that are torn or of another version are passed over. */
import { DIALECTS, type Dialect } from '#contract/dialect.ts';
import { STREAM_ENDS, type StreamEndKind } from '#contract/stream-end.ts';
import { objectOf } from '../stream/scan/usage.ts';

/** What is known of an exchange that an earlier process left open. */
export interface JournalEntry {
  readonly id: string;
  readonly exchange?: string;
  readonly atEpochMs: number;
  readonly method: string;
  readonly target: string;
  readonly dialect: Dialect;
  readonly route?: string;
  readonly model?: string;
  readonly agent?: string;
  readonly stream?: boolean;
  /** Sequence of the last record that left while the stream was running. */
  readonly partial?: number;
  /** Present when it had ended, and only its record did not get away. */
  readonly end?: StreamEndKind;
  readonly status?: number;
  readonly afterMs?: number;
}

export interface JournalReading {
  readonly entries: readonly JournalEntry[];
  /** The lines of each open exchange, as they stand in the journal. */
  readonly lines: ReadonlyMap<string, string>;
}

export function readEntries(text: string): JournalReading {
  const entries = new Map<string, JournalEntry>();
  const lines = new Map<string, string>();
  for (const line of text.split('\n')) {
    const mark = parse(line);
    const id = textOf(mark['id']);
    if (id === undefined) continue;
    if (mark['mark'] === 'closed') {
      entries.delete(id);
      lines.delete(id);
      continue;
    }
    const entry = merged(entries.get(id), id, mark);
    if (entry === undefined) continue;
    entries.set(id, entry);
    lines.set(id, `${lines.get(id) ?? ''}${line}\n`);
  }
  return { entries: [...entries.values()], lines };
}

function merged(
  known: JournalEntry | undefined,
  id: string,
  mark: Readonly<Record<string, unknown>>,
): JournalEntry | undefined {
  if (mark['mark'] === 'opened') return opened(id, mark);
  if (known === undefined) return undefined;
  const { route, model, agent, stream, end, status, afterMs } = mark;
  switch (mark['mark']) {
    case 'matched':
      return {
        ...known,
        ...(typeof route === 'string' ? { route } : {}),
        ...(typeof model === 'string' ? { model } : {}),
        ...(typeof agent === 'string' ? { agent } : {}),
        ...(typeof stream === 'boolean' ? { stream } : {}),
      };
    case 'partial': {
      const { sequence } = mark;
      return typeof sequence === 'number' && Number.isSafeInteger(sequence) ? { ...known, partial: sequence } : known;
    }
    case 'ended': {
      const kind = STREAM_ENDS.find((name) => name === end);
      if (kind === undefined || typeof status !== 'number' || typeof afterMs !== 'number') return known;
      return { ...known, end: kind, status, afterMs };
    }
    default:
      return undefined;
  }
}

function opened(id: string, { exchange, atEpochMs, method, target, dialect: raw }: Readonly<Record<string, unknown>>) {
  const dialect = DIALECTS.find((name) => name === raw);
  if (typeof atEpochMs !== 'number' || dialect === undefined) return undefined;
  return {
    id,
    ...(typeof exchange === 'string' && { exchange }),
    atEpochMs,
    method: textOf(method) ?? '',
    target: textOf(target) ?? '',
    dialect,
  };
}

function parse(line: string): Readonly<Record<string, unknown>> {
  if (line === '') return {};
  try {
    return objectOf(JSON.parse(line));
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
