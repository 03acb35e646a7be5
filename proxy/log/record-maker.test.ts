import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { captured, factsOf } from '../../test/support/sample-facts.ts';
import { createMetrics } from '../observe/metrics.ts';
import type { FactsSoFar } from './exchange-facts.ts';
import { REDACTED } from './headers.ts';
import { createLogger } from './logger.ts';
import { HELD_BACK_LENGTH } from './partials/hold-back.ts';
import type { ExchangeRecord, PartialRecord } from './record.ts';
import { RecordMaker } from './record-maker.ts';

const event = (text: string): string =>
  `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })}\n\n`;
const START = [
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","role":"assistant","content":[],"usage":{"input_tokens":1}}}\n\n',
  'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
].join('');

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
    const line = String(await maker.make(factsOf(answer, patterns)));
    const record = JSON.parse(line) as PartialRecord;
    assert.equal(record.partial, true);
    assert.ok(!line.includes('"text":"4') && !line.includes('text\\":\\"4'), line.slice(-400));
    assert.ok(!line.includes('4222'), 'nor what was a match');
    const { body, assembled } = record.response ?? assert.fail();
    assert.equal(body?.truncated, true);
    assert.equal(body?.bytes, Buffer.byteLength(answer));
    assert.ok((body?.text?.length ?? 0) > long.length / 4, `${body?.text?.length}`);
    assert.ok(JSON.stringify(assembled).includes('word [redacted]'));
  }
  const whole = String(
    await maker.make(factsOf(long + event('411111111') + event('1111111'), patterns, { end: { kind: 'complete' } })),
  );
  const { response } = JSON.parse(whole) as ExchangeRecord;
  assert.equal(response?.body?.truncated, false, 'the whole record holds back nothing');
  assert.ok(!whole.includes('4111'));
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
  const record = JSON.parse(String(await maker.make(factsOf(answer, [])))) as PartialRecord;
  assert.equal(record.response?.body?.text, answer);
  assert.equal(record.response?.body?.truncated, false);
  assert.ok(JSON.stringify(record.response?.assembled).includes('the last word'));
});

test('RecordMaker: the assembled answer holds nothing that the body hides or leaves out', async (t) => {
  const maker = new RecordMaker({
    identity: { hop: 'sidecar', workload: {} },
    metrics: createMetrics(),
    logger: createLogger({ write: () => {} }),
  });
  t.after(() => maker.close());
  const end = { kind: 'complete' } as const;
  const responseOf = async (facts: FactsSoFar): Promise<NonNullable<ExchangeRecord['response']>> =>
    (JSON.parse(String(await maker.make(facts))) as ExchangeRecord).response ?? assert.fail();

  const chunk = (token: string): string => {
    const logprobs = { content: [{ token, bytes: [...Buffer.from(token)] }] };
    return `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: token }, logprobs }] })}\n\n`;
  };
  const card = factsOf(['4111', '1111', '1111', '1111'].map(chunk).join(''), ['[0-9]{16}'], { end });
  const chat = { ...card, head: { ...card.head, target: '/v1/chat/completions' } };
  const tokens = JSON.stringify((await responseOf(chat)).assembled);
  assert.ok(tokens.includes('"token":"[redacted]"') && !tokens.includes('1111') && !tokens.includes('[49,'), tokens);

  const asked = (partial_json: string): string =>
    `data: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json } })}\n\n`;
  const tool = START.replace('"type":"text","text":""', '"type":"tool_use","input":{}');
  const login = tool + asked('{"user": "bob", "pass') + asked('word": "hunter2"}');
  // Written anew it has no space.
  const { assembled } = await responseOf(factsOf(login, ['"password": "[^"]*"'], { end }));
  assert.deepEqual(assembled?.['content'], [{ type: 'tool_use', input: { user: 'bob', [REDACTED]: REDACTED } }]);

  const facts = factsOf('', [], { end, responseBody: captured([gzipSync(START + event('word ').repeat(1000))]) });
  const encoded = { ...facts.answer, rawHeaders: ['content-type', 'text/event-stream', 'content-encoding', 'gzip'] };
  const rules = { ...facts.rules, bodies: { ...facts.rules.bodies, maxBytes: 1024 } };
  const cut = await responseOf({ ...facts, rules, answer: encoded as FactsSoFar['answer'] });
  const words = cut.body?.text?.split('"word "').length ?? 0;
  assert.ok(words > 3);
  assert.deepEqual(cut.assembled?.['content'], [{ type: 'text', text: 'word '.repeat(words - 1) }]);
});
