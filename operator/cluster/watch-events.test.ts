import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './api-error.ts';
import { readWatchEvents } from './watch-events.ts';

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size = 1000): Promise<string[]> {
  const names: string[] = [];
  for await (const event of readWatchEvents(chunks(Buffer.from(text), size)))
    names.push(`${event.type} ${event.object.metadata.name}`);
  return names;
}

const LINES =
  '{"type":"ADDED","object":{"metadata":{"name":"für-ü"}}}\n{"type":"BOOKMARK","object":{"metadata":{"name":""}}}\n';

test('reads the same events whatever the chunks', async () => {
  for (let size = 1; size < LINES.length; size += 1)
    assert.deepEqual(await read(LINES, size), ['ADDED für-ü', 'BOOKMARK ']);
});

test('leaves out a last line that was cut', async () => {
  assert.deepEqual(await read(`${LINES}{"type":"DELETED","object":{"meta`), ['ADDED für-ü', 'BOOKMARK ']);
});

test('an ERROR event is thrown with its code', async () => {
  const line = '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n';
  await assert.rejects(
    read(line),
    (error) => error instanceof ApiError && error.status === 410 && error.reason === 'Expired',
  );
});

test('a line that is no event is refused without being quoted', async () => {
  await assert.rejects(
    read('{"type":"ADDED","object":{"data":{"key":"c2VjcmV0"}\n'),
    (error: Error) => !error.message.includes('c2VjcmV0'),
  );
  await assert.rejects(read('{"type":"STRANGE","object":{}}\n'), /STRANGE/);
});
