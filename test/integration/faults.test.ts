/** Under each fault of an upstream clients see what is true, and docs/faults.md says the same. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { type FaultRow, faultRow, renderFaults } from '../support/clients/fault-rows.ts';
import { takeRecords } from '../support/clients/records.ts';
import { openStream, type Streamed } from '../support/clients/sse-client.ts';
import { ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { type ScriptedUpstream, startScriptedUpstream } from '../support/scripted-upstream/server.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/faults.md');
const UPSTREAM_MAIN = join(import.meta.dirname, '../support/scripted-upstream/main.ts');
const SOME = 20;
/** Of these every hundredth fails. */
const MANY = 300;

let victim: ChildProcess;
let upstream: ScriptedUpstream;
let proxy: ProxyProcess;
const rows: FaultRow[] = [];

before(async () => {
  upstream = await startScriptedUpstream({ delayMs: 0 });
  victim = spawn(process.execPath, [UPSTREAM_MAIN, '--port', '0', '--delay', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (!victim.stdout) throw new Error('The upstream has no output');
  const [line] = (await once(createInterface({ input: victim.stdout }), 'line')) as [string];
  proxy = await ProxyProcess.start(specOf(upstream.url, line.split(' ').at(-1) ?? ''));
});
after(async () => {
  victim.kill('SIGKILL');
  await proxy.stop();
  await upstream.close();
});

function specOf(url: string, victimUrl: string): Spec {
  const timeouts = { firstByte: '300ms', idle: '300ms' };
  const retry = { attemptsPerUpstream: 2, within: '30s' };
  const route = (name: string, more: Partial<Spec['routes'][number]> = {}): Spec['routes'][number] => ({
    name,
    match: { headers: [{ name: 'x-fault', values: [name] }] },
    upstreams: [{ name }],
    ...more,
  });
  return {
    upstreams: [
      { name: 'victim', dialect: 'anthropic', url: victimUrl },
      { name: 'good', dialect: 'anthropic', url },
      { name: 'spare', dialect: 'anthropic', url },
      { name: 'impatient', dialect: 'anthropic', url, timeouts },
      { name: 'nowhere', dialect: 'anthropic', url: 'http://127.0.0.1:1' },
      { name: 'unknown-host', dialect: 'anthropic', url: 'http://no-such-host.invalid' },
    ],
    routes: [
      ...['victim', 'good', 'impatient', 'nowhere', 'unknown-host'].map((name) => route(name)),
      route('retried', { upstreams: [{ name: 'good' }], retry }),
      route('backed', { upstreams: [{ name: 'good' }], fallback: [{ name: 'spare' }] }),
      route('lost-backed', { upstreams: [{ name: 'unknown-host' }], fallback: [{ name: 'spare' }] }),
    ],
    logging: { capture: { maxBodyBytes: '1Ki' } },
  };
}

function ask(route: string, scenario = '') {
  const model = `scripted?words=8&${scenario}`;
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'x' }] });
  return openStream(proxy.listenPort, { path: '/v1/messages', body, headers: { 'x-fault': route } });
}

async function note(fault: string, answers: readonly Streamed[], expected: Pick<FaultRow, 'clients' | 'ends'>) {
  const row = faultRow(fault, answers, await takeRecords(proxy, answers.length));
  rows.push(row);
  assert.deepEqual({ clients: row.clients, ends: row.ends }, expected);
}

async function together(route: string, scenario = ''): Promise<Streamed[]> {
  return Promise.all(Array.from({ length: SOME }, async () => (await ask(route, scenario)).ended));
}

/** One after the other; every hundredth meets the fault on its first try. */
async function flapping(route: string, scenario: string): Promise<Streamed[]> {
  const answers: Streamed[] = [];
  for (let count = 1; count <= MANY; count += 1) {
    if (count % 100 === 0) upstream.journal.queue(scenario, 1);
    answers.push(await (await ask(route)).ended);
  }
  return answers;
}

test('an upstream that is killed cuts its streams, and what comes after it is 502', async () => {
  const opened = await Promise.all(Array.from({ length: SOME }, () => ask('victim', 'hold=6')));
  await Promise.all(opened.map(({ begun }) => begun));
  victim.kill('SIGKILL');
  const answers = await Promise.all(opened.map(({ ended }) => ended));
  await note('killed with streams open', answers, { clients: { '200 cut': SOME }, ends: { upstream_cut: SOME } });
  await note('asked after it was killed', await together('victim'), {
    clients: { '502 connect_failed': SOME },
    ends: { no_answer: SOME },
  });
});

test('an upstream that cannot be reached, or whose name has no address, is 502', async () => {
  await note('nobody listens', await together('nowhere'), {
    clients: { '502 connect_failed': SOME },
    ends: { no_answer: SOME },
  });
  await note('its name has no address (DNS fails)', await together('unknown-host'), {
    clients: { '502 connect_failed': SOME },
    ends: { no_answer: SOME },
  });
  await note('DNS fails, the route has a fallback', await together('lost-backed'), {
    clients: { '200 whole': SOME },
    ends: { complete: SOME },
  });
});

test('an upstream that hangs is 504 before its head, and a cut stream after it', async () => {
  await note('hangs before its head (`firstByte`)', await together('impatient', 'hang=0'), {
    clients: { '504 upstream_timeout': SOME },
    ends: { no_answer: SOME },
  });
  await note('hangs in the middle (`idle`)', await together('impatient', 'hang=6'), {
    clients: { '200 cut': SOME },
    ends: { 'idle (upstream)': SOME },
  });
});

test('an upstream that resets is 502 before its head, and a cut stream after it', async () => {
  await note('resets before its head', await together('good', 'reset=0'), {
    clients: { '502 upstream_broke': SOME },
    ends: { no_answer: SOME },
  });
  const cut = { clients: { '200 cut': SOME }, ends: { upstream_cut: SOME } };
  await note('resets in the middle', await together('good', 'reset=6'), cut);
  await note('closes in the middle', await together('good', 'cut=6'), cut);
  await note('ends in order without its terminal event', await together('good', 'close=6'), cut);
  await note('an error event in the middle', await together('good', 'error=6'), {
    clients: { '200 whole': SOME },
    ends: { upstream_error: SOME },
  });
});

test('an upstream that flaps fails one request of a hundred, and none where the route retries or falls back', async () => {
  await note('resets 1 % before its head', await flapping('good', 'reset=0'), {
    clients: { '200 whole': MANY - 3, '502 upstream_broke': 3 },
    ends: { complete: MANY - 3, no_answer: 3 },
  });
  const none = { clients: { '200 whole': MANY }, ends: { complete: MANY } };
  await note('the same, the route retries', await flapping('retried', 'reset=0'), none);
  await note('the same, the route has a fallback', await flapping('backed', 'reset=0'), none);
  await note('closes 1 % before any content, the route has a fallback', await flapping('backed', 'cut=3'), none);
  await note('answers 529 to 1 %, the route has a fallback', await flapping('backed', 'status=529'), none);
});

test('docs/faults.md says what was seen', async () => {
  const text = renderFaults(rows);
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(DOCUMENT, text);
  assert.equal(await readFile(DOCUMENT, 'utf8'), text, 'Run this test with UPDATE_DOCS=1 and read the difference');
});
