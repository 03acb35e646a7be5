/** The spool of a process that has ended, as its file tells it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface SpoolAccount {
  readonly seen: number;
  readonly delivered: number;
  readonly waiting: number;
  readonly dropped: Readonly<Record<string, number>>;
}

/** @returns what it holds of each target */
export function readSpool(stateDirectory: string): Record<string, SpoolAccount> {
  const db = new DatabaseSync(spoolFile(stateDirectory));
  try {
    const rows = db.prepare('SELECT name, cursor, seen, delivered, dropped FROM targets').all();
    return Object.fromEntries(
      rows.map((row) => {
        const waiting = db.prepare('SELECT count(*) AS n FROM records WHERE seq > ?').get(row['cursor'] ?? 0)?.['n'];
        const dropped = JSON.parse(String(row['dropped'])) as Record<string, number>;
        const [seen, delivered] = [Number(row['seen']), Number(row['delivered'])];
        return [String(row['name']), { seen, delivered, waiting: Number(waiting), dropped }];
      }),
    );
  } finally {
    db.close();
  }
}

export interface ListedRecord {
  readonly target: string;
  readonly id: string;
  readonly reason: string;
}

/** The latest records that targets were not given, by id. */
export function listedAsDropped(stateDirectory: string): ListedRecord[] {
  const db = new DatabaseSync(spoolFile(stateDirectory));
  try {
    const rows = db.prepare('SELECT target, id, reason FROM dropped ORDER BY number').all();
    return rows.map(({ target, id, reason }) => ({
      target: String(target),
      id: String(id),
      reason: String(reason),
    }));
  } finally {
    db.close();
  }
}

export function spoolFile(stateDirectory: string): string {
  return join(stateDirectory, 'spool/spool.db');
}
