import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Logger } from '../logger.ts';
import { Archive, ArchiveUnavailableError } from './archive.ts';

const BOUNDS = { maxBytes: 16 * 1024 ** 2, maxAgeMs: 3_600_000 };

function opened(t: TestContext, after: Promise<void> = Promise.resolve()) {
  const state = mkdtempSync(join(tmpdir(), 'sluice-archive-'));
  const counts: Record<string, number> = {};
  const logged = (_target: string, result: string, records: number): void => {
    counts[result] = (counts[result] ?? 0) + records;
  };
  const quiet = (): void => {};
  const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const archive = new Archive(state, BOUNDS, { metrics: { logged }, logger }, after);
  t.after(async () => {
    await archive.close(AbortSignal.abort(), 'shutdown');
    rmSync(state, { recursive: true, force: true });
  });
  const deliver = (id: string, bytes = 0): Promise<string> => {
    const line = { id, times: { received: new Date().toISOString() }, request: { body: { text: 'x'.repeat(bytes) } } };
    return new Promise((resolve) => archive.deliver(Buffer.from(`${JSON.stringify(line)}\n`), resolve, id));
  };
  return { archive, counts, deliver, folder: join(state, 'audit') };
}

test('archive: a record is settled once it is kept; what comes after the end is counted as dropped', async (t) => {
  const { archive, counts, deliver } = opened(t);
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map((id) => deliver(id))), [
    'delivered',
    'delivered',
    'delivered',
  ]);
  assert.equal((await archive.state()).records, 3);
  assert.match((await archive.get('b')) ?? '', /^\{"id":"b".*\}$/);
  const last = deliver('d');
  await archive.close(AbortSignal.timeout(5_000), 'shutdown');
  assert.equal(await last, 'delivered');
  assert.equal(await deliver('e'), 'shutdown');
  assert.deepEqual(counts, { delivered: 4, dropped_shutdown: 1 });
  await assert.rejects(archive.get('a'), ArchiveUnavailableError);
});

test('archive: what waits is bounded; every record is settled and counted', async (t) => {
  const start = Promise.withResolvers<void>();
  const { counts, deliver } = opened(t, start.promise);
  const fates = Array.from({ length: 30 }, (_, i) => deliver(`r${i}`, 1024 ** 2));
  start.resolve();
  const overflown = (await Promise.all(fates)).filter((fate) => fate === 'overflow').length;
  assert.ok(overflown >= 14 && overflown < 30, `${overflown}`);
  assert.deepEqual(counts, { delivered: 30 - overflown, dropped_overflow: overflown });
});

test('archive: removed, it leaves nothing', async (t) => {
  const { archive, deliver, folder } = opened(t);
  await deliver('a');
  assert.ok(existsSync(folder));
  await archive.remove();
  assert.equal(existsSync(folder), false);
});
