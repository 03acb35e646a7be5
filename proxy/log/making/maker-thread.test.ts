import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { captured, factsOf } from '../../../test/support/sample-facts.ts';
import { Arrivals } from '../arrivals.ts';
import { BlockPool } from '../blocks.ts';
import type { FactsSoFar } from '../exchange-facts.ts';
import { REDACTED } from '../headers.ts';
import type { LoggedRecord } from '../record.ts';
import { makeLine } from './make-line.ts';
import { MakerThread } from './maker-thread.ts';

const IDENTITY = { hop: 'sidecar', workload: { pod: 'p' } } as const;
const DIGITS = ['[0-9]{3}'];
const ended = { end: { kind: 'complete' } } as const;
const plain = { upstream: 'u', upstreamDialect: 'anthropic', status: 200 } as const;
const JSON_ANSWER = JSON.stringify({
  model: 'told',
  usage: { input_tokens: 3, output_tokens: 4 },
  said: 'my id is 123',
});

function open(): { thread: MakerThread; failures: unknown[] } {
  const failures: unknown[] = [];
  return { thread: new MakerThread({ identity: IDENTITY, onFailure: (error) => failures.push(error) }), failures };
}

/** Where the clock is mocked no test's own timeout is heard: what does not come shall fail, not hang. */
async function soon(coming: Promise<unknown>): Promise<void> {
  const endNs = process.hrtime.bigint() + 5_000_000_000n;
  let isHere = false;
  void coming.then(() => {
    isHere = true;
  });
  while (!isHere && process.hrtime.bigint() < endNs) await new Promise(setImmediate);
  assert.ok(isHere, 'still waiting');
}

function recordOf(line: Buffer): LoggedRecord {
  return JSON.parse(String(line)) as LoggedRecord;
}

/** One of each kind of body. */
function everyKind(): FactsSoFar[] {
  const arrivals = new Arrivals(new BlockPool(512));
  for (let i = 0; i < 100; i++) arrivals.push(10 + 3 * i, 7);
  const chunks = Array.from({ length: 3000 }, (_, n) => `chunk ${n} `);
  const answer = { ...plain, rawHeaders: ['content-type', 'application/json'] };
  const rules = { ...factsOf('', DIGITS).rules, redactHeaders: new Set(['x-user']), gateways: new Set(['u']) };
  return [
    factsOf('data: {"type":"ping"}\n\n', DIGITS, { ...ended, arrivals, requestBody: captured(['{"user":"', '123"}']) }),
    factsOf('', DIGITS, { ...ended, rules, answer, responseBody: captured([JSON_ANSWER]) }),
    factsOf('', DIGITS, {
      ...ended,
      answer: { ...answer, rawHeaders: [...answer.rawHeaders, 'content-encoding', 'gzip'] },
      responseBody: captured([gzipSync(JSON_ANSWER)]),
    }),
    factsOf('', DIGITS, { ...ended, answer, responseBody: captured([Buffer.from([0xff, 0, 1, 2, 3])]) }),
    factsOf('', DIGITS, { ...ended, responseBody: captured(chunks, 20_000) }),
    factsOf('', DIGITS, { responseBody: captured(chunks).snapshot(), arrivals }),
    factsOf('', DIGITS, { ...ended, answer: undefined, requestBody: captured(['z'.repeat(100_000)]) }),
  ];
}

describe('MakerThread', () => {
  it('makes the very lines that would be made here, each for the one who asked', async () => {
    const { thread, failures } = open();
    const made = await Promise.all(everyKind().map((facts) => thread.make(facts)));
    const here = await Promise.all(everyKind().map((facts) => makeLine(facts, IDENTITY)));
    await thread.close();
    assert.deepEqual(failures, []);
    for (const [index, { line, tokens }] of here.entries()) {
      assert.equal(String(made[index]?.line), String(line));
      assert.deepEqual(made[index]?.tokens, tokens);
    }
    const usage = { inputTokens: 3, outputTokens: 4 };
    assert.deepEqual(made[1]?.tokens, { model: 'told', usage, isChained: true });
    assert.ok(recordOf(made[2]?.line ?? assert.fail()).response?.body?.text?.includes(`my id is ${REDACTED}`));
  });

  it('rejects the one that cannot be made, and makes the others', async () => {
    const { thread, failures } = open();
    const { head, ...rest } = factsOf('', DIGITS, ended);
    const broken = { ...rest, head: { ...head, receivedAtEpochMs: Number.NaN } };
    const [one, other] = await Promise.allSettled([thread.make(broken), thread.make({ ...rest, head })]);
    await thread.close();
    assert.match(String(one?.status === 'rejected' && one.reason), /RangeError: Invalid time value/);
    assert.equal(other?.status, 'fulfilled');
    assert.deepEqual(failures, []);
  });

  it('lets what follows closely gather for a while, until it is hurried', { timeout: 20_000 }, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    t.mock.method(performance, 'now', () => 1_000);
    const { thread } = open();
    const facts = factsOf('', DIGITS, ended);
    await thread.make(facts);
    let done = 0;
    const gathered = Promise.all([facts, facts].map((each) => thread.make(each)));
    void gathered.then(() => done++);
    t.mock.timers.tick(249);
    // Longer than the thread takes for the answer that it was not asked for.
    for (let turn = 0; turn < 1_000; turn++) await new Promise(setImmediate);
    assert.equal(done, 0);
    t.mock.timers.tick(1);
    await gathered;
    // Bodies are copied for a message: not too much of them at once.
    await soon(thread.make(factsOf('', DIGITS, { ...ended, responseBody: captured(['z'.repeat(1024 ** 2)]) })));
    // Nor too many of them.
    await soon(Promise.all(Array.from({ length: 16 }, () => thread.make(facts))));
    const last = thread.make(facts);
    thread.hurry();
    await last;
    await thread.make(facts);
    await thread.close();
  });

  it('finishes here what its thread can no longer do', async () => {
    const { thread, failures } = open();
    const facts = factsOf('', DIGITS, { ...ended, responseBody: captured(['5555']) });
    const pending = thread.make(facts);
    await thread.close();
    for (const { line } of [await pending, await thread.make(facts)]) {
      assert.equal(recordOf(line).response?.body?.text, `${REDACTED}5`);
    }
    assert.equal(failures.length, 1);
  });
});
