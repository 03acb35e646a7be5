import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assembleAnswer } from './assemble.ts';

const STREAM = ['content-type', 'text/event-stream'];

function stream(extra: string): Buffer {
  const start = `{"type":"message_start","message":{"content":[],"extra":${extra}}}`;
  return Buffer.from(`event: message_start\ndata: ${start}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n`);
}

test('an answer that nests too deep to be written leaves the record without it, and nothing throws', async () => {
  assert.match(await assembleAnswer('/v1/messages', STREAM, stream('[1]'), []), /"extra":\[1\]/);
  const deep = '['.repeat(200_000) + ']'.repeat(200_000);
  assert.equal(await assembleAnswer('/v1/messages', STREAM, stream(deep), []), '');
});
