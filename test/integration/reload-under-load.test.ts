/** Promise 4 under load: twenty changes of the config cut none of five hundred streams and move no conversation. */
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { after, before, test } from 'node:test';
import { counted, takeRecords } from '../support/clients/records.ts';
import { openStream, type StreamRequest } from '../support/clients/sse-client.ts';
import { ProxyProcess, type Secrets, type Spec } from '../support/proxy-process.ts';
import { type ScriptedUpstream, startScriptedUpstream } from '../support/scripted-upstream/server.ts';

const STREAMS = 500;
const RELOADS = 20;
const CONVERSATIONS = 12;
const NAMES = ['a', 'b', 'c'] as const;

let upstreams: ScriptedUpstream[];
let proxy: ProxyProcess;
const agent = new Agent({ keepAlive: false });

before(async () => {
  upstreams = await Promise.all(NAMES.map(() => startScriptedUpstream({ delayMs: 0 })));
  proxy = await ProxyProcess.start(specOf(0), { secrets: keysOf(0) });
});
after(async () => {
  await proxy.stop();
  await Promise.all(upstreams.map((upstream) => upstream.close()));
});

/** The config after so many changes: each changes weights, routes and the key; upstream `c` comes and goes. */
function specOf(change: number): Spec {
  const names = NAMES.slice(0, change % 2 === 0 ? 3 : 2);
  const extra = Array.from({ length: change % 4 }, (_, index) => ({
    name: `extra-${index}`,
    match: { models: [`extra-${change}-${index}`] },
    upstreams: [{ name: 'a' }],
  }));
  return {
    upstreams: names.map((name) => ({
      name,
      dialect: 'anthropic',
      url: upstreams[NAMES.indexOf(name)]?.url ?? '',
      credentials: [{ secret: { name: 'key', key: 'k' } }],
    })),
    routes: [
      ...extra,
      {
        name: 'conversations',
        match: { headers: [{ name: 'x-kind', values: ['conversation'] }] },
        // More weight for `a` may bring conversations to it, and takes none away.
        upstreams: [
          { name: 'a', weight: 50 + change },
          { name: 'b', weight: 50 },
        ],
        sticky: { header: 'x-session-id' },
      },
      {
        name: 'split',
        upstreams: names.map((name, index) => ({ name, weight: 10 + ((change * 7 + index * 13) % 50) })),
      },
    ],
    logging: { capture: { maxBodyBytes: '1Ki' } },
  };
}

function keysOf(change: number): Secrets {
  return { key: { k: `key-${change}` } };
}

function ask(model: string, headers: Readonly<Record<string, string>> = {}): StreamRequest {
  return {
    path: '/v1/messages',
    body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'x' }] }),
    headers,
    agent,
  };
}

/** One short exchange of each conversation, and the upstream that answered each. */
async function whereConversationsAre(): Promise<string[]> {
  const counts = upstreams.map(({ journal }) => journal.answers.size);
  const where: string[] = [];
  for (let session = 0; session < CONVERSATIONS; session += 1) {
    const headers = { 'x-kind': 'conversation', 'x-session-id': `session-${session}` };
    const { status, complete } = await (await openStream(proxy.listenPort, ask('scripted?words=1&delay=0', headers)))
      .ended;
    assert.deepEqual([status, complete], [200, true]);
    const grown = upstreams.findIndex(({ journal }, index) => journal.answers.size > (counts[index] ?? 0));
    counts[grown] = (counts[grown] ?? 0) + 1;
    where.push(NAMES[grown] ?? '');
  }
  return where;
}

test('twenty changes cut none of five hundred streams, and conversations stay where they are', async () => {
  const held = ask('scripted?words=20&delay=0&hold=6&gate=end');
  const opened = await Promise.all(Array.from({ length: STREAMS }, () => openStream(proxy.listenPort, held)));
  await Promise.all(opened.map(({ begun }) => begun));
  const before = upstreams.map(({ journal }) => journal.openAnswers);
  assert.ok(
    before.every((count) => count > 0),
    `streams on each upstream: ${before.join(', ')}`,
  );
  let where = await whereConversationsAre();
  assert.deepEqual(Object.keys(counted(where)), ['a', 'b']);
  for (let change = 1; change <= RELOADS; change += 1) {
    await proxy.apply(specOf(change), keysOf(change));
    const now = await whereConversationsAre();
    for (const [session, name] of now.entries()) {
      if (where[session] === 'a') assert.equal(name, 'a', `session ${session} after change ${change}`);
    }
    where = now;
  }
  assert.deepEqual(
    upstreams.map(({ journal }) => journal.openAnswers),
    before,
    'none has lost its upstream',
  );
  for (const { journal } of upstreams) journal.release('end');
  const ended = await Promise.all(opened.map((stream) => stream.ended));
  const sent = new Map(
    upstreams.flatMap(({ url, journal }) =>
      [...journal.answers.values()].map((answer) => [`${url} ${answer.id}`, answer.toJSON() as { sha256: string }]),
    ),
  );
  const digests = new Set([...sent.values()].map(({ sha256 }) => sha256));
  assert.deepEqual(counted(ended.map(({ status, complete }) => `${status} ${complete}`)), { '200 true': STREAMS });
  assert.ok(ended.every(({ sha256 }) => digests.has(sha256)));
  const records = await takeRecords(proxy, STREAMS + (RELOADS + 1) * CONVERSATIONS);
  assert.deepEqual(counted(records.map(({ end }) => end)), { complete: records.length });
});
