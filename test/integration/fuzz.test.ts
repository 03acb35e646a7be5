/** Hostile bytes, in the short form of `npm run fuzz`; the seed is in each failure's message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzHttp } from '../fuzz/http.ts';
import { fuzzScanner } from '../fuzz/scanner.ts';
import { messagesRequest, ProxyProcess, simpleSpec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';

const MS = 2_500;
const seed = Date.now() % 2 ** 31;

/** What the fuzzer once got through. */
const FOUND = {
  'a request line without a version': messagesRequest().replace(' HTTP/1.1', ''),
  'version 2.0 on a connection of version 1': messagesRequest().replace('HTTP/1.1', 'HTTP/2.0'),
};

test('what once got through is refused', async () => {
  // No request may come so far that it matters that nobody listens there.
  const proxy = await ProxyProcess.start(simpleSpec('http://127.0.0.1:1'));
  try {
    for (const [name, bytes] of Object.entries(FOUND)) {
      const client = await RawClient.send(proxy.listenPort, bytes);
      assert.equal((await client.answer()).status, 400, name);
      client.destroy();
    }
  } finally {
    await proxy.stop();
  }
});

test('mutated requests never crash the proxy, pass for others, or reach the upstream malformed', async (t) => {
  const { failures, requests, ambiguous, reachedUpstream } = await fuzzHttp(MS, seed);
  t.diagnostic(`seed ${seed}: ${requests} requests, ${ambiguous} ambiguous, ${reachedUpstream} reached the upstream`);
  assert.deepEqual(failures, [], `seed ${seed}`);
  assert.ok(ambiguous > 10 && reachedUpstream > 10);
});

test('mutated streams never confuse the scanner', async (t) => {
  const { failures, streams, cutShort } = await fuzzScanner(performance.now() + MS, seed);
  t.diagnostic(`seed ${seed}: ${streams} streams, ${cutShort} without their terminal event`);
  assert.deepEqual(failures, [], `seed ${seed}`);
  assert.ok(cutShort > 10);
});
