import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RecordingLibrary } from './library.ts';

function line(id: string, text: string, more: object): string {
  const body = { bytes: text.length, sha256: '', truncated: false, text };
  const record = {
    id,
    exchange: id,
    status: 200,
    request: { target: '/v1/messages' },
    response: { headers: [], body },
  };
  return `${JSON.stringify({ ...record, ...more })}\n`;
}

test('RecordingLibrary: states of a running stream are one record, played in its newest state', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-library-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'records.ndjson');
  appendFileSync(file, line('a', 'a', { sequence: 0, partial: true }) + line('b', 'other', { end: 'complete' }));
  appendFileSync(
    file,
    line('a', 'abc', { sequence: 2, end: 'complete' }) + line('a', 'ab', { sequence: 1, partial: true }),
  );
  const library = new RecordingLibrary(folder, 'records.ndjson');
  const text = async (id?: string): Promise<string> => {
    const { steps } = await library.choose('/v1/messages', id);
    return Buffer.concat(steps.map(({ bytes }) => bytes)).toString();
  };
  assert.equal(await text('a'), 'abc');
  assert.deepEqual(
    [await text(), await text(), await text()],
    ['abc', 'other', 'abc'],
    'they take turns as records do',
  );
  appendFileSync(file, line('c', 'c', { sequence: 4, partial: true }));
  assert.equal(await text('c'), 'c');
  assert.equal((await library.choose('/v1/messages', 'c')).cut, true, 'a stream that was not over was not whole');
});
