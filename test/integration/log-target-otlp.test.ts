/** Promise: a real OpenTelemetry Collector takes what the `otlp` target sends, with the attributes that are documented. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { compileTarget } from '#contract/compile/targets.ts';
import type { OtlpTarget } from '#contract/compiled.ts';
import { openSink } from '../../proxy/log/spool/open-sink.ts';
import { BusyError, type RecordSink, RefusedError } from '../../proxy/log/targets/sink.ts';
import {
  type CollectedLog,
  type Collector,
  collectorProgram,
  startCollector,
} from '../support/log-targets/collector.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { sampleId, sampleMembers, sampleRecord, sampleRecords } from '../support/log-targets/sample-records.ts';
import { refusal } from '../support/log-targets/writes.ts';

const TOKEN = `canary-${randomBytes(6).toString('hex')}`;
const program = await collectorProgram();
const options = { skip: program === undefined && 'there is no Go to build a collector with' };
const never = new AbortController().signal;
let collector: Collector;

before(async () => {
  if (program !== undefined) collector = await startCollector(program);
});
after(() => collector?.stop());

async function opened(t: TestContext, url: string, more: Partial<OtlpTarget> = {}): Promise<RecordSink> {
  const target = compileTarget({ name: 'store', otlp: { url } }, []);
  assert.equal(target.kind, 'otlp');
  const credential = { file: 'token', header: 'authorization' };
  const sink = await openSink({ ...(target as OtlpTarget), credential, ...more }, new Map([['token', TOKEN]]));
  t.after(() => sink.close());
  return sink;
}

function valuesOf(attributes: CollectedLog['attributes']): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.intValue === undefined ? Object.values(value)[0] : Number(value.intValue),
    ]),
  );
}

async function logsOf(
  write: () => Promise<void>,
): Promise<{ resource: Record<string, unknown>; logs: readonly CollectedLog[] }[]> {
  const before = collector.requests.length;
  await write();
  await collector.taken(before + 1);
  return (collector.requests[before]?.resourceLogs ?? []).map(({ resource, scopeLogs }) => ({
    resource: valuesOf(resource.attributes),
    logs: scopeLogs.flatMap(({ logRecords }) => logRecords),
  }));
}

test(
  'otlp target: the collector takes a batch, each exchange a log record with its attributes and its body',
  options,
  async (t) => {
    const sink = await opened(t, collector.url);
    const [group, ...others] = await logsOf(() => sink.write(sampleRecords(3), never));
    assert.deepEqual(others, []);
    assert.deepEqual(group?.resource, {
      'service.name': 'sluice',
      'k8s.namespace.name': 'agents',
      'k8s.pod.name': 'planner-6d5f',
      'k8s.node.name': 'node-3',
      'sluice.workload.owner': 'Deployment/planner',
    });
    assert.deepEqual(
      group?.logs.map(({ body }) => JSON.parse(body.stringValue ?? '') as unknown),
      [0, 1, 2].map((n) => sampleMembers(n)),
    );
    const log = group?.logs[1] ?? assert.fail('one is missing');
    assert.equal(log.timeUnixNano, `${Date.parse('2026-11-21T10:00:00.001Z')}000000`);
    assert.deepEqual([log.severityNumber, log.severityText, log.eventName], [9, 'INFO', 'sluice.exchange']);
    assert.deepEqual(valuesOf(log.attributes), {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': 'claude-opus-5',
      'gen_ai.request.stream': true,
      'gen_ai.response.model': 'claude-opus-5-20260801',
      'gen_ai.response.time_to_first_chunk': 0.4325,
      'gen_ai.agent.name': 'architect',
      'gen_ai.usage.input_tokens': 2012,
      'gen_ai.usage.output_tokens': 311,
      'gen_ai.usage.cache_read.input_tokens': 2000,
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'url.path': '/v1/messages',
      'log.record.uid': sampleId(1),
      'sluice.exchange.id': sampleId(1),
      'sluice.hop': 'sidecar',
      'sluice.revision': '5f0c3a9d1b7e2c44',
      'sluice.route': 'opus',
      'sluice.upstream': 'claude',
      'sluice.model.asked': 'claude-opus-5',
      'sluice.end': 'complete',
      'sluice.duration': 4.1211,
    });
  },
);

test('otlp target: compressed, by workload, and what went wrong is an error', options, async (t) => {
  const sink = await opened(t, collector.url, { gzip: true });
  const records = [
    sampleRecord(0, { end: 'upstream_cut', exchange: sampleId(9), chained: true }),
    sampleRecord(1, { workload: {}, end: 'client_gone', usage: undefined, detail: 'a\0b\ud800' }),
  ];
  const groups = await logsOf(() => sink.write(records, never));
  assert.deepEqual(
    groups.map(({ resource }) => resource['k8s.pod.name']),
    ['planner-6d5f', undefined],
  );
  const [cut, gone] = groups.map(({ logs }) => logs[0] ?? assert.fail('one is missing'));
  assert.ok(cut && gone);
  assert.equal(cut.severityText, 'ERROR');
  const attributes = valuesOf(cut.attributes);
  assert.deepEqual(
    [
      attributes['error.type'],
      attributes['log.record.uid'],
      attributes['sluice.exchange.id'],
      attributes['sluice.chained'],
    ],
    ['upstream_cut', sampleId(0), sampleId(9), true],
  );
  assert.equal(gone.severityText, 'INFO');
  assert.deepEqual(
    Object.keys(valuesOf(gone.attributes)).filter((key) => key.startsWith('gen_ai.usage')),
    [],
  );
});

test(
  'otlp target: a collector that stands still is given up when the signal aborts; one that is down is repeated',
  options,
  async (t) => {
    assert.ok(program);
    const own = await startCollector(program);
    t.after(() => own.stop());
    const sink = await opened(t, own.url);
    const stop = new AbortController();
    const reason = new Error('the spool is closing');
    own.freeze();
    const writing = sink.write(sampleRecords(1), stop.signal);
    stop.abort(reason);
    await assert.rejects(writing, reason);
    const impatient = await opened(t, own.url, { timeoutMs: 50 });
    await assert.rejects(impatient.write(sampleRecords(1), never), /within the target's timeout of 50 ms/);
    await own.stop();
    const error = await refusal(sink.write(sampleRecords(1), never));
    assert.equal(
      error.message,
      `Cannot reach "${own.url}": ECONNREFUSED; start it, or correct the port of its address`,
    );
  },
);

for (const [what, answer, kind] of [
  [
    'a partial success that rejects some',
    { status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}' },
    RefusedError,
  ],
  ['bad data', { status: 400 }, RefusedError],
  ['too much at once', { status: 413 }, RefusedError],
  ['throttling', { status: 429, headers: { 'retry-after': '3' } }, BusyError],
  ['being unavailable', { status: 503, headers: { 'retry-after': '3' } }, BusyError],
  ['a wrong credential', { status: 401 }, Error],
  ['a wrong path', { status: 404 }, Error],
  ['a gateway without a collector', { status: 502 }, Error],
] as const) {
  test(`otlp target: ${what} is ${kind === Error ? 'repeated' : `a ${kind.name}`}`, async (t) => {
    const receiver = await startReceiver(t);
    receiver.answer = answer;
    const error = await refusal((await opened(t, receiver.url)).write(sampleRecords(2), never));
    assert.equal(error.constructor, kind);
    if (error instanceof BusyError) assert.equal(error.retryAfterMs, 3000);
    for (const secret of [TOKEN, 'too old', 'claude']) assert.ok(!inspect(error, { depth: 9 }).includes(secret));
    assert.equal(receiver.deliveries[0]?.headers.authorization, `Bearer ${TOKEN}`);
  });
}

for (const body of [
  '',
  '{}',
  '{"partialSuccess":{}}',
  '{"partialSuccess":{"rejectedLogRecords":0,"errorMessage":"a warning"}}',
  'no json',
]) {
  test(`otlp target: an answer of ${body === '' ? 'nothing' : body} is a success`, async (t) => {
    const receiver = await startReceiver(t);
    receiver.answer = { status: 200, body };
    await (await opened(t, receiver.url)).write(sampleRecords(1), never);
    assert.equal(receiver.deliveries.length, 1);
  });
}
