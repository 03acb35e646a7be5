import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createGunzip, gzipSync } from 'node:zlib';
import { DecodingSink, decodedFlow } from './translating-sink.ts';

/** Begins with what cannot be packed, so that the decoder has more than it takes at once. */
const BODY = Buffer.concat([randomBytes(256 * 1024), Buffer.alloc(16 * 1024 ** 2)]);

test('a few bytes that become very many come as fast as the client takes them, and all come', async () => {
  const decoder = createGunzip();
  const asked: string[] = [];
  const upstream = { pause: () => asked.push('pause'), resume: () => asked.push('resume'), abort: () => {} };
  const flow = decodedFlow(decoder, upstream);
  let got = 0;
  let sinceResumed = 0;
  let most = 0;
  const whole = Promise.withResolvers<void>();
  const sink = new DecodingSink(
    decoder,
    {
      chunk: ({ length }) => {
        got += length;
        sinceResumed += length;
        most = Math.max(most, sinceResumed);
        flow.pause();
        setImmediate(() => {
          sinceResumed = 0;
          flow.resume();
        });
      },
      end: () => whole.resolve(),
      cut: whole.reject,
    },
    upstream,
  );
  sink.chunk(gzipSync(BODY));
  assert.equal(asked[0], 'pause');
  sink.end([]);
  await whole.promise;
  assert.equal(got, BODY.length);
  assert.ok(most <= 256 * 1024, `${most} bytes came at once`);
  assert.ok(asked.includes('resume'));
});

test('whoever aborts ends the decoder as well', () => {
  const decoder = createGunzip();
  const reasons: Error[] = [];
  const flow = decodedFlow(decoder, { pause() {}, resume() {}, abort: (reason) => reasons.push(reason) });
  flow.abort(new Error('over'));
  assert.equal(decoder.destroyed, true);
  assert.equal(reasons.length, 1);
});
