import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../observe/metrics.ts';
import { BodyCapture, CaptureBudget } from './capture.ts';
import type { FactsSoFar } from './exchange-facts.ts';
import { createLogger } from './logger.ts';
import { HELD_BACK_LENGTH } from './partials/hold-back.ts';
import { RecordMaker } from './record-maker.ts';
import { NO_RULES } from './rules.ts';

const MIB = 1024 ** 2;
const event = (text: string): string =>
  `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })}\n\n`;
const START = [
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","role":"assistant","content":[],"usage":{"input_tokens":1}}}\n\n',
  'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
].join('');

function factsOf(answer: string, patterns: readonly string[], more: Partial<FactsSoFar> = {}): FactsSoFar {
  const responseBody = new BodyCapture(MIB, new CaptureBudget(2 * MIB));
  responseBody.push(Buffer.from(answer));
  return {
    head: {
      id: 'a',
      receivedAt: 0,
      receivedAtEpochMs: 0,
      method: 'POST',
      target: '/v1/messages',
      dialect: 'anthropic',
      rawHeaders: [],
    },
    rules: {
      ...NO_RULES,
      assemble: true,
      patterns,
      bodies: { maxBytes: MIB, jsonPaths: [], redacts: patterns.length > 0 },
    },
    route: 'opus',
    request: undefined,
    attempts: [],
    toolCalls: [],
    answer: {
      upstream: 'u',
      upstreamDialect: 'anthropic',
      status: 200,
      rawHeaders: ['content-type', 'text/event-stream'],
    },
    requestBody: new BodyCapture(0, new CaptureBudget(0)),
    responseBody,
    times: {},
    contentEvents: 3,
    model: 'm',
    usage: undefined,
    status: 200,
    sequence: 0,
    ...more,
  };
}

test('RecordMaker: no record of a running stream shows the half of what a pattern hides', async (t) => {
  const maker = new RecordMaker({
    identity: { hop: 'sidecar', workload: {} },
    metrics: createMetrics(),
    logger: createLogger({ write: () => {} }),
  });
  t.after(() => maker.close());
  const patterns = ['[0-9]{16}'];
  const long = START + event('word 4222222222222222 ').repeat(1000);
  for (const begun of ['4', '41111', '411111111111111']) {
    // Digits one by one, as a model sends them.
    const answer = long + begun.split('').map(event).join('');
    const record = await maker.make(factsOf(answer, patterns));
    const line = JSON.stringify(record);
    assert.ok('partial' in record);
    assert.ok(!line.includes('"text":"4') && !line.includes('text\\":\\"4'), line.slice(-400));
    assert.ok(!line.includes('4222'), 'nor what was a match');
    const { body, assembled } = record.response ?? assert.fail();
    assert.equal(body?.truncated, true);
    assert.equal(body?.bytes, Buffer.byteLength(answer));
    assert.ok((body?.text?.length ?? 0) > long.length / 4, `${body?.text?.length}`);
    assert.ok(JSON.stringify(assembled).includes('word [redacted]'));
  }
  const whole = await maker.make(
    factsOf(long + event('411111111') + event('1111111'), patterns, { end: { kind: 'complete' } }),
  );
  assert.equal(whole.response?.body?.truncated, false, 'the whole record holds back nothing');
  assert.ok(!JSON.stringify(whole).includes('4111'));
});

test('RecordMaker: without patterns a record of a running stream holds all that came', async (t) => {
  const metrics = { tokens: () => assert.fail('tokens are counted at the end') };
  const maker = new RecordMaker({
    identity: { hop: 'sidecar', workload: {} },
    metrics,
    logger: createLogger({ write: () => {} }),
  });
  t.after(() => maker.close());
  const answer = START + event('the last word');
  assert.ok(answer.length < HELD_BACK_LENGTH);
  const record = await maker.make(factsOf(answer, []));
  assert.equal(record.response?.body?.text, answer);
  assert.equal(record.response?.body?.truncated, false);
  assert.ok(JSON.stringify(record.response?.assembled).includes('the last word'));
});
