/** Streams without pause, for a while: memory and descriptors stay where they were, and nothing fails. */
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { median, type Resources, resourcesOf, withoutProc } from '../support/clients/process-resources.ts';
import { counted, metricSum, takeOne } from '../support/clients/records.ts';
import { openStream, type Streamed } from '../support/clients/sse-client.ts';
import { until } from '../support/cluster/wait.ts';
import { ProxyProcess, type Spec, simpleSpec } from '../support/proxy-process.ts';
import { startScriptedUpstream } from '../support/scripted-upstream/server.ts';

const LONG = process.env['SLUICE_LONG'] === '1';
const SECONDS = LONG ? 1_800 : 180;
/** Until the heap has its working size, the just-in-time compiler its code, and every lane its connection. */
const WARM_UP_SECONDS = LONG ? 300 : 45;
/**
 * Left alone, V8 lets garbage grow for minutes before its first full collection, which in the short form would look like a
 * leak. A small heap collects often; what then still grows is no garbage, and would soon end the process.
 */
const PROXY_ENV: Readonly<Record<string, string>> = LONG ? {} : { NODE_OPTIONS: '--max-old-space-size=64' };
const STREAMS = 200;
const WORDS = 20;
const EVENT_EVERY_MS = 150;
/** Growth of the median from the first third to the last that is still noise of a garbage-collected heap. */
const RESIDENT_TOLERANCE_KIB = 24 * 1024;
const BODY = JSON.stringify({
  model: `scripted?words=${WORDS}&delay=${EVENT_EVERY_MS}`,
  stream: true,
  messages: [{ role: 'user', content: 'Go on and on' }],
});

test(`${STREAMS} streams at a time leave memory and descriptors flat`, { skip: withoutProc }, async (t) => {
  const upstream = await startScriptedUpstream();
  const spec: Spec = {
    ...simpleSpec(upstream.url),
    logging: { capture: { maxBodyBytes: '4Ki' } },
  };
  const proxy = await ProxyProcess.start(spec, { env: PROXY_ENV });
  const agent = new Agent({ keepAlive: true, maxSockets: STREAMS });
  try {
    const outcomes: Streamed[] = [];
    const endsAt = performance.now() + SECONDS * 1000;
    const lane = async (index: number): Promise<void> => {
      // Spread over one stream's length, so that they do not all begin and end in the same moment.
      await sleep((index / STREAMS) * WORDS * EVENT_EVERY_MS);
      while (performance.now() < endsAt) {
        const stream = await openStream(proxy.listenPort, { path: '/v1/messages', body: BODY, agent });
        outcomes.push(await stream.ended);
      }
    };
    const samples: Resources[] = [];
    const watch = async (): Promise<void> => {
      await sleep(WARM_UP_SECONDS * 1000);
      for (; performance.now() < endsAt; await sleep(500)) samples.push(await resourcesOf(proxy.pid));
    };
    await Promise.all([watch(), ...Array.from({ length: STREAMS }, (_, index) => lane(index))]);
    for (const _outcome of outcomes) assert.equal((await takeOne(proxy)).end, 'complete');
    const seen = counted(outcomes.map(({ status, complete, sha256 }) => `${status} ${complete} ${sha256}`));
    assert.equal(Object.keys(seen).length, 1, JSON.stringify(seen));
    assert.match(Object.keys(seen)[0] ?? '', /^200 true/);
    const third = Math.floor(samples.length / 3);
    assert.ok(third >= 3, `${samples.length} samples`);
    const middle = (from: number, of: keyof Resources): number =>
      median(samples.slice(from, from + third).map((sample) => sample[of]));
    const last = samples.length - third;
    const resident = [middle(0, 'residentKib'), middle(last, 'residentKib')] as const;
    const descriptors = [middle(0, 'descriptors'), middle(last, 'descriptors')] as const;
    t.diagnostic(
      `${outcomes.length} streams; resident KiB ${resident.join(' -> ')}; descriptors ${descriptors.join(' -> ')}`,
    );
    assert.ok(resident[1] - resident[0] < RESIDENT_TOLERANCE_KIB, `resident KiB: ${resident.join(' -> ')}`);
    assert.ok(descriptors[1] - descriptors[0] <= STREAMS / 20, `descriptors: ${descriptors.join(' -> ')}`);
    assert.equal(await metricSum(proxy, 'sluice_watch_failures_total'), 0);
    await until('no stream to be counted as active', async () =>
      (await metricSum(proxy, 'sluice_active_streams')) === 0 ? true : undefined,
    );
  } finally {
    agent.destroy();
    await proxy.stop();
    await upstream.close();
  }
});
