/** Recorded answers come through byte for byte however the network cuts them, with the right end and the same usage. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { eventEdges, fixtures, providerRecordings, type Recording } from '../support/clients/recordings.ts';
import { takeOne } from '../support/clients/records.ts';
import { cutAt, randomPlaces, seeded } from '../support/clients/seeded.ts';
import { openStream } from '../support/clients/sse-client.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const SEEDED_SPLITS = 3;
const EVENT_STREAM = 'content-type: text/event-stream\r\n';
const JSON_BODY = 'content-type: application/json\r\n';

let upstream: RawUpstream;
let proxy: ProxyProcess;
before(async () => {
  upstream = await RawUpstream.start();
  proxy = await ProxyProcess.start({
    upstreams: [
      { name: 'claude', dialect: 'anthropic', url: upstream.url },
      { name: 'gpt', dialect: 'openai', url: upstream.url },
    ],
    routes: [
      { name: 'messages', match: { paths: ['/v1/messages'] }, upstreams: [{ name: 'claude' }] },
      { name: 'rest', upstreams: [{ name: 'gpt' }] },
    ],
    logging: { capture: { maxBodyBytes: '1Ki' } },
  });
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

/** How one recording is cut; single bytes are framed one by one, and written at once, as each frame is a read of its own. */
function chunkings({ name, bytes }: Recording): [how: string, pieces: Buffer[]][] {
  const everyByte = Array.from({ length: Math.max(0, bytes.length - 1) }, (_, index) => index + 1);
  const random = seeded(bytes.length);
  return [
    ['whole', [bytes]],
    ['byte by byte', cutAt(bytes, everyByte)],
    ['at event edges', cutAt(bytes, eventEdges(bytes))],
    ...Array.from({ length: SEEDED_SPLITS }, (_, run): [string, Buffer[]] => [
      `random split ${run} of ${name}`,
      cutAt(bytes, randomPlaces(bytes.length, 60, random)),
    ]),
  ];
}

function framed(pieces: readonly Buffer[]): Buffer[] {
  const frames = pieces.map((piece) =>
    Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
  );
  // Writes of their own make segments of their own; thousands of them would only measure the loopback.
  return frames.length > 500 ? [Buffer.concat(frames)] : frames;
}

async function play(recording: Recording, how: string, pieces: Buffer[]): Promise<unknown> {
  const { bytes, dialect, path, isStream, end } = recording;
  const opening = openStream(proxy.listenPort, {
    path,
    body: JSON.stringify({ model: 'recorded', stream: isStream }),
    headers: { connection: 'close', ...(dialect === 'anthropic' && { 'anthropic-version': '2023-06-01' }) },
  });
  const exchange = await upstream.next();
  const head = `HTTP/1.1 200 OK\r\n${isStream ? EVENT_STREAM : JSON_BODY}transfer-encoding: chunked\r\n\r\n`;
  await exchange.write(head);
  for (const frame of framed(pieces)) await exchange.write(frame);
  await exchange.endChunks();
  const answer = await (await opening).ended;
  const record = await takeOne(proxy);
  const expected = createHash('sha256').update(bytes).digest('hex');
  assert.deepEqual([answer.bytes, answer.sha256], [bytes.length, expected], how);
  assert.equal(record.end, end, how);
  assert.equal(answer.complete, end !== 'upstream_cut', how);
  assert.deepEqual([record.response?.body?.bytes, record.response?.body?.sha256], [bytes.length, expected], how);
  return { usage: record.usage, contentEvents: record.contentEvents, model: record.model.answered };
}

async function assertUntouched(recording: Recording): Promise<void> {
  const seen: unknown[] = [];
  for (const [how, pieces] of chunkings(recording)) seen.push(await play(recording, how, pieces));
  for (const one of seen) assert.deepEqual(one, seen[0], 'the same is read for each chunking');
}

for (const recording of fixtures()) {
  test(`fixture ${recording.name} ends as ${recording.end}, untouched by any chunking`, () =>
    assertUntouched(recording));
}

test('what providers really sent comes through untouched by any chunking', async (t) => {
  const recordings = providerRecordings();
  if (recordings === undefined) {
    t.diagnostic('No recordings of providers are here: set SLUICE_RECORDINGS to their folder to have them tested');
    return;
  }
  t.diagnostic(`${recordings.length} recordings of providers`);
  for (const recording of recordings) await t.test(recording.name, () => assertUntouched(recording));
});
