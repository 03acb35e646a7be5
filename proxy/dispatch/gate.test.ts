import assert from 'node:assert/strict';
import test from 'node:test';
import type { ValidUpstream } from '#contract/compiled.ts';
import { Interruption } from '../errors.ts';
import { AnswerBody } from '../stream/answer-body.ts';
import { scannerFor } from '../stream/scan.ts';
import { type GateResult, gate } from './gate.ts';

const UPSTREAM = { kind: 'valid', name: 'u', dialect: 'anthropic' } as ValidUpstream;
const START = 'event: message_start\ndata: {"type":"message_start","message":{}}\n\n';
const PING = 'event: ping\ndata: {"type":"ping"}\n\n';
const THINK =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
const ERROR = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n';

function scene(maxHoldMs = 60_000, type = 'text/event-stream') {
  const body = new AnswerBody({ pause: () => {}, resume: () => {}, abort: () => {} });
  const stop = new AbortController();
  const answer = {
    upstream: UPSTREAM,
    dialect: 'anthropic' as const,
    status: 200,
    statusMessage: '',
    rawHeaders: ['content-type', type],
    body,
    endsAtMs: undefined,
  };
  const opened = gate(answer, {
    dialect: 'anthropic',
    path: '/v1/messages',
    maxHoldMs,
    signal: stop.signal,
    scannerFor,
  });
  const push = (text: string): void => body.push(Buffer.from(text));
  return { body, stop, opened, push };
}

async function after(...events: string[]): Promise<GateResult> {
  const { body, opened, push } = scene();
  for (const event of events) {
    if (event === 'end') body.finish([]);
    else if (event === 'cut') body.fail(Object.assign(new Error(), { code: 'ECONNRESET' }));
    else push(event);
  }
  return opened;
}

test('gate() opens at the first content of any kind, wherever the bytes are cut', async () => {
  assert.equal((await after(START, PING, THINK)).kind, 'open');
  assert.equal((await after(...Array.from(START + THINK))).kind, 'open');
});

test('gate() refuses an error, and an end without its terminal event, before content', async () => {
  assert.deepEqual(await after(START, PING, ERROR), { kind: 'refused', detail: 'overloaded_error' });
  assert.deepEqual(await after(START, 'end'), { kind: 'refused', detail: 'empty stream' });
  assert.deepEqual(await after('end'), { kind: 'refused', detail: 'empty stream' });
  assert.deepEqual(await after(START, 'cut'), { kind: 'broke', detail: 'ECONNRESET' });
});

test('gate() lets a whole stream without content pass, and what follows content', async () => {
  assert.equal((await after(START, STOP, 'end')).kind, 'open');
  assert.equal((await after(START + THINK + ERROR)).kind, 'open');
});

test('gate() holds no answer that is no event stream, and nothing for longer than it may', async () => {
  assert.equal((await scene(60_000, 'application/json').opened).kind, 'open');
  const slow = scene(5);
  slow.push(START);
  assert.deepEqual(await slow.opened, { kind: 'open', heldMs: 5 });
  assert.equal(Buffer.concat(slow.body.held).toString(), START);
});

test('gate() ends with the exchange', async () => {
  const { opened, stop } = scene();
  stop.abort(new Interruption('client_gone'));
  await assert.rejects(opened, Interruption);
});
