import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Ajv } from 'ajv';
import type { CompiledConfig, CompiledLogging } from '#contract/compiled.ts';
import type { AnswerHead, RequestHead, Tap } from '../exchange.ts';
import { createMetrics } from '../observe/metrics.ts';
import { JOURNAL_FILE } from './journal.ts';
import { type ExchangeLogOptions, openLog } from './log.ts';
import { createLogger } from './logger.ts';
import type { ExchangeRecord } from './record.ts';

const SCHEMA = JSON.parse(readFileSync(new URL('../../docs/record.schema.json', import.meta.url), 'utf8')) as object;
const validate = new Ajv({ allErrors: true }).compile(SCHEMA);

const FILE_TARGET = { kind: 'file', name: 'file', path: 'records.ndjson', maxBytes: 1 << 26 } as const;

function config(logging: Partial<CompiledLogging> = {}): CompiledConfig {
  const timeouts = { connectMs: 0, firstByteMs: 0, idleMs: 0, totalMs: 0 };
  const secret = { kind: 'secret', file: 'credential-1', header: 'x-upstream-pass', scheme: 'bare' } as const;
  return {
    version: 1,
    name: 'llm',
    namespace: 'agents',
    generation: 1,
    revision: 'rev-1',
    listen: { port: 1 },
    metrics: { port: 2 },
    upstreams: [
      {
        kind: 'valid',
        name: 'claude',
        dialect: 'anthropic',
        origin: 'http://x',
        basePath: '',
        credentials: [secret],
        timeouts,
        modelMap: [],
        translation: { flavor: 'openai', maxTokens: 4096, onLoss: 'warn' },
      },
    ],
    routes: [],
    logging: {
      maxBodyBytes: 1 << 20,
      assemble: false,
      redact: [],
      spoolBytes: 1 << 28,
      spoolMaxAgeMs: 86_400_000,
      targets: [FILE_TARGET],
      ...logging,
    },
  };
}

let ids = 0;
function head(overrides: Partial<RequestHead> = {}): RequestHead {
  ids++;
  return {
    id: `00000000-0000-7000-8000-${String(ids).padStart(12, '0')}`,
    receivedAt: performance.now(),
    receivedAtEpochMs: Date.now(),
    method: 'POST',
    target: '/v1/messages?beta=true&key=SECRET-query',
    dialect: 'anthropic',
    rawHeaders: [
      'Content-Type',
      'application/json',
      'X-Api-Key',
      'SECRET-key',
      'X-Upstream-Pass',
      'SECRET-pass',
      'X-User',
      'u@x',
    ],
    ...overrides,
  };
}

const EVENTS = [
  'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":9,"output_tokens":1}}}\n\n',
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"4111111111111111"}}\n\n',
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"é"}}\n\n',
  'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":5}}\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
];
const STREAM: AnswerHead = {
  upstream: 'claude',
  upstreamDialect: 'anthropic',
  status: 200,
  rawHeaders: ['content-type', 'text/event-stream; charset=utf-8', 'set-cookie', 'SECRET-cookie', 'request-id', 'r1'],
};

function runExchange(tap: Tap, { answer = STREAM, chunks = EVENTS.map((event) => Buffer.from(event)) } = {}): void {
  tap.matched('opus', { model: 'claude-alias', agent: 'architect', stream: true });
  tap.requestChunk(Buffer.from('{"model":"claude-alias","metadata":{"user_id":"SECRET-user"},'));
  tap.requestChunk(Buffer.from('"messages":[]}'));
  const now = performance.now();
  tap.attempted({
    upstream: 'first',
    startedAt: now - 5,
    endedAt: now - 2,
    outcome: 'connect_failed',
    detail: 'ECONNREFUSED',
  });
  tap.attempted({ upstream: 'claude', startedAt: now - 1, endedAt: now, outcome: 'answered', status: 200 });
  tap.answered(answer);
  let first = true;
  for (const chunk of chunks) {
    tap.answerChunk(chunk);
    if (first) tap.delivered(0);
    first = false;
  }
}

describe('openLog()', () => {
  let state = '';
  let lines: string[] = [];
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'sluice-log-'));
    lines = [];
  });
  afterEach(() => rmSync(state, { recursive: true, force: true }));

  function open(options: Partial<ExchangeLogOptions> = {}) {
    const metrics = createMetrics();
    const logger = createLogger({ write: (line) => lines.push(line) });
    const workload = { namespace: 'agents', pod: 'planner-1', node: 'n1', owner: 'Deployment/planner' };
    return { metrics, log: openLog({ stateDirectory: state, metrics, logger, workload, ...options }) };
  }

  function records(file = 'records.ndjson'): ExchangeRecord[] {
    if (!existsSync(join(state, file))) return [];
    const found = readFileSync(join(state, file), 'utf8').split('\n').filter(Boolean);
    return found.map((line) => {
      const record = JSON.parse(line) as ExchangeRecord;
      assert.ok(validate(record), JSON.stringify(validate.errors));
      return record;
    });
  }

  const soon = (): AbortSignal => AbortSignal.timeout(10_000);
  const series = async (metrics: ReturnType<typeof createMetrics>, start: string): Promise<string[]> =>
    (await metrics.render()).split('\n').filter((line) => line.startsWith(start));
  const recorded = async (metrics: ReturnType<typeof createMetrics>): Promise<string[]> =>
    (await series(metrics, 'sluice_log_records_total')).filter((line) => !line.endsWith(' 0'));

  it('folds a stream into the one answer where that is asked for, redacted also where deltas cut what is secret', async () => {
    const { log } = open();
    log.configure(config({ assemble: true, redact: [{ kind: 'pattern', pattern: '[0-9]{16}' }] }));
    const tap = log.openTap(head());
    const delta = (text: string): string =>
      `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })}\n\n`;
    const start = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } };
    const [first = '', , , ...last] = EVENTS;
    const opened = `event: content_block_start\ndata: ${JSON.stringify(start)}\n\n`;
    const events = [first, opened, delta('Card 41111111'), delta('11111111.'), ...last];
    runExchange(tap, { chunks: [Buffer.from(events.join(''))] });
    tap.ended({ kind: 'complete' }, 200);
    const plain = log.openTap(head());
    runExchange(plain, { answer: { ...STREAM, rawHeaders: ['content-type', 'application/json'] }, chunks: [] });
    plain.ended({ kind: 'complete' }, 200);
    await log.close(soon());
    const [streamed, whole] = records();
    const { content, model } = streamed?.response?.assembled ?? {};
    assert.deepEqual([content, model], [[{ type: 'text', text: 'Card [redacted].' }], 'claude-x']);
    assert.equal(whole?.response?.assembled, undefined);
  });

  it('keeps nothing of bodies where nobody takes records, but for the tokens that a plain answer tells', async () => {
    const said = Buffer.from('{"model":"claude-y","usage":{"input_tokens":6,"output_tokens":2}}');
    // Room for that answer alone.
    const { log, metrics } = open({ captureBytes: said.length });
    log.configure(config({ targets: [] }));
    const streamed = log.openTap(head());
    runExchange(streamed);
    const plain = log.openTap(head());
    runExchange(plain, { answer: { ...STREAM, rawHeaders: ['content-type', 'application/json'] }, chunks: [said] });
    for (const tap of [plain, streamed]) tap.ended({ kind: 'complete' }, 200);
    await log.close(soon());
    assert.deepEqual(await series(metrics, 'sluice_tokens_total{model="claude-'), [
      'sluice_tokens_total{model="claude-x",kind="input"} 9',
      'sluice_tokens_total{model="claude-x",kind="output"} 5',
      'sluice_tokens_total{model="claude-y",kind="input"} 6',
      'sluice_tokens_total{model="claude-y",kind="output"} 2',
    ]);
    const next = open();
    next.log.configure(config());
    await next.log.close(soon());
    assert.deepEqual(records(), [], 'nothing is left open in the journal');
  });

  it('tells the state of each target: one that works, one that cannot, and one past the machine that is down', async () => {
    const { log } = open();
    const invalid = { kind: 'invalid', name: 'bad', message: 'Name a table.' } as const;
    const limits = { timeoutMs: 1_000, format: 'ndjson', maxRecords: 10, maxBytes: 1 << 20, gzip: false } as const;
    // Nobody listens on port 9 of the loopback.
    const down = { kind: 'http', name: 'down', url: 'http://127.0.0.1:9/', ...limits } as const;
    log.configure(config({ targets: [FILE_TARGET, invalid, down] }));
    const tap = log.openTap(head());
    runExchange(tap);
    tap.ended({ kind: 'complete' }, 200);
    const failed = (): boolean => log.targetStates().some(({ name, state: at }) => name === 'down' && at === 'failing');
    while (!failed()) await new Promise((resolve) => setTimeout(resolve, 10));
    const [file, bad, network] = log.targetStates();
    assert.deepEqual(file, { name: 'file', state: 'ok', seen: 1, delivered: 1, waiting: 0, dropped: {} });
    const counts = { seen: 1, delivered: 0, waiting: 0, dropped: { invalid: 1 } };
    assert.deepEqual(bad, { name: 'bad', state: 'invalid', error: 'Name a table.', ...counts });
    assert.match(network?.error ?? '', /ECONNREFUSED/);
    assert.ok(Math.abs(Date.parse(network?.failingSince ?? '') - Date.now()) < 60_000);
    assert.deepEqual([network?.seen, network?.waiting], [1, 1]);
    await log.close(AbortSignal.timeout(100));
    assert.match(
      lines.at(-1) ?? '',
      /Log closed; what waits stays.*"down":\{"delivered":0,"waiting":1,"dropped":\{\}\}/,
    );
  });

  it('writes one record of a stream that holds all but the secrets', async () => {
    const { log, metrics } = open();
    log.configure(
      config({
        redact: [
          { kind: 'header', header: 'x-user' },
          { kind: 'jsonPath', path: ['metadata', 'user_id'] },
          { kind: 'pattern', pattern: '[0-9]{16}' },
        ],
      }),
    );
    const tap = log.openTap(head());
    runExchange(tap);
    assert.deepEqual(tap.verdict(), { terminal: 'seen', error: undefined, content: true, atBoundary: true });
    assert.deepEqual(await series(metrics, 'sluice_active_streams '), ['sluice_active_streams 1']);
    tap.ended({ kind: 'complete' }, 200);
    tap.ended({ kind: 'client_gone' }, 200);
    await log.close(soon());
    const [record, more] = records();
    assert.ok(record && more === undefined);
    assert.ok(!JSON.stringify(record).includes('SECRET'), JSON.stringify(record));
    assert.deepEqual(
      [record.revision, record.route, record.upstream, record.agent, record.hop],
      ['rev-1', 'opus', 'claude', 'architect', 'sidecar'],
    );
    assert.deepEqual(record.model, { asked: 'claude-alias', answered: 'claude-x' });
    assert.deepEqual(record.usage, { inputTokens: 9, outputTokens: 5, partial: false });
    assert.deepEqual(
      record.attempts.map((a) => [a.upstream, a.outcome, a.detail]),
      [
        ['first', 'connect_failed', 'ECONNREFUSED'],
        ['claude', 'answered', undefined],
      ],
    );
    assert.deepEqual(record.redactions, { headers: 1, jsonPaths: 1, patterns: 1 });
    assert.deepEqual(record.request.headersRemoved, ['x-api-key', 'x-upstream-pass']);
    assert.equal(record.response?.body?.text, EVENTS.join('').replace('4111111111111111', '[redacted]'));
    assert.equal(record.response?.body?.bytes, Buffer.byteLength(EVENTS.join('')));
    const { firstByte = -1, delivered = -1, firstContent = -1, lastByte = -1, ended = -1 } = record.offsetsMs;
    assert.ok(
      0 <= firstByte &&
        firstByte <= delivered &&
        delivered <= firstContent &&
        firstContent <= lastByte &&
        lastByte <= ended,
    );
    assert.deepEqual(await series(metrics, 'sluice_exchanges_total{'), [
      'sluice_exchanges_total{route="opus",upstream="claude",dialect="anthropic",code="200",end="complete"} 1',
    ]);
    assert.deepEqual(await series(metrics, 'sluice_inter_token_seconds_count'), [
      'sluice_inter_token_seconds_count{route="opus",upstream="claude"} 1',
    ]);
    assert.deepEqual(await series(metrics, 'sluice_active_streams '), ['sluice_active_streams 0']);
    assert.deepEqual(await recorded(metrics), ['sluice_log_records_total{target="file",result="delivered"} 1']);
  });

  it('redacts a value that two chunks share', async () => {
    const { log } = open();
    log.configure(config({ redact: [{ kind: 'pattern', pattern: '[0-9]{16}' }] }));
    const bytes = Buffer.from(EVENTS.join(''));
    const at = bytes.indexOf('41111111') + 8;
    const tap = log.openTap(head());
    runExchange(tap, { chunks: [bytes.subarray(0, at), bytes.subarray(at)] });
    tap.ended({ kind: 'complete' }, 200);
    await log.close(soon());
    assert.ok(!JSON.stringify(records()).includes('4111'));
  });

  it('reads usage and model of a plain answer, compressed or not, whatever is kept of bodies', async () => {
    const { log, metrics } = open();
    log.configure(config({ maxBodyBytes: 4 }));
    const body = Buffer.from(JSON.stringify({ model: 'claude-y', usage: { input_tokens: 3, output_tokens: 2 } }));
    const plain = ['content-type', 'application/json'];
    for (const [rawHeaders, bytes] of [
      [plain, body],
      [[...plain, 'content-encoding', 'gzip'], gzipSync(body)],
    ] as const) {
      const tap = log.openTap(head());
      runExchange(tap, { answer: { ...STREAM, rawHeaders }, chunks: [bytes] });
      tap.ended({ kind: 'complete' }, 200);
    }
    await log.close(soon());
    for (const record of records()) {
      assert.deepEqual(record.usage, { inputTokens: 3, outputTokens: 2, partial: false });
      assert.equal(record.model.answered, 'claude-y');
      assert.deepEqual([record.response?.body?.text, record.response?.body?.truncated], ['{"mo', true]);
    }
    assert.deepEqual(await series(metrics, 'sluice_tokens_total{model="claude-y",kind="input"}'), [
      'sluice_tokens_total{model="claude-y",kind="input"} 6',
    ]);
  });

  it('records what was rejected, never answered, or cut', async () => {
    const { log } = open();
    log.configure(config());
    log.openTap(head()).ended({ kind: 'rejected' }, 404);
    const unanswered = log.openTap(head());
    unanswered.matched('opus', { model: undefined, agent: undefined, stream: false });
    unanswered.attempted({ upstream: 'claude', startedAt: 1, endedAt: 2, outcome: 'timeout' });
    unanswered.ended({ kind: 'no_answer', detail: 'Bearer SECRET-detail' }, 504);
    const cut = log.openTap(head());
    runExchange(cut, { chunks: [Buffer.from(EVENTS.join('')).subarray(0, 400)] });
    cut.ended({ kind: 'idle', side: 'upstream' }, 200);
    await log.close(soon());
    const found = records();
    assert.deepEqual(
      found.map((r) => [r.end, r.status, r.upstream]),
      [
        ['rejected', 404, undefined],
        ['no_answer', 504, 'claude'],
        ['idle', 200, 'claude'],
      ],
    );
    assert.equal(found[2]?.usage?.partial, true);
    assert.ok(!JSON.stringify(found).includes('SECRET-detail'));
  });

  it('has a line of a request in the journal before it leaves, and of one that leaves nowhere by the next turn', async () => {
    const { log } = open();
    log.configure(config());
    const journal = (): string => readFileSync(join(state, JOURNAL_FILE), 'utf8');
    const matched = head();
    log.openTap(matched).matched('opus', { model: undefined, agent: undefined, stream: true });
    const marks = journal().trimEnd().split('\n');
    assert.deepEqual(
      marks.map((line) => JSON.parse(line) as object).map((mark) => ({ ...mark, atEpochMs: 0 })),
      [
        {
          mark: 'opened',
          id: matched.id,
          atEpochMs: 0,
          method: 'POST',
          target: '/v1/messages?beta=true&key=[redacted]',
          dialect: 'anthropic',
        },
        { mark: 'matched', id: matched.id, route: 'opus', stream: true, atEpochMs: 0 },
      ],
    );
    const waiting = head();
    log.openTap(waiting);
    await nextTurn();
    assert.match(journal(), new RegExp(`"opened","id":"${waiting.id}"`));
    await log.close(soon());
  });

  it('drains a removed target, opens a new one and keeps the rest', async () => {
    const { log, metrics } = open();
    const run = (): void => {
      const tap = log.openTap(head());
      runExchange(tap);
      tap.ended({ kind: 'complete' }, 200);
    };
    const other = { ...FILE_TARGET, name: 'other', path: 'other.ndjson' };
    const broken = { kind: 'invalid', name: 'broken', message: 'Cannot work.' } as const;
    log.configure(config({ targets: [FILE_TARGET, broken] }));
    const loss = 'sluice_log_records_total{target="file",result="dropped_expired"}';
    assert.deepEqual(await series(metrics, loss), [`${loss} 0`], 'a first loss is seen as a rise');
    run();
    while (records().length < 1) await new Promise(setImmediate);
    log.configure(config({ targets: [other, FILE_TARGET] }));
    run();
    while (records('other.ndjson').length < 1) await new Promise(setImmediate);
    log.configure(config({ targets: [FILE_TARGET] }));
    run();
    await log.close(soon());
    assert.deepEqual([records().length, records('other.ndjson').length], [3, 1]);
    assert.deepEqual((await recorded(metrics)).sort(), [
      'sluice_log_records_total{target="broken",result="dropped_invalid"} 1',
      'sluice_log_records_total{target="file",result="delivered"} 3',
      'sluice_log_records_total{target="other",result="delivered"} 1',
    ]);
  });

  it('goes on without its state directory: said once, counted, never thrown', async () => {
    const file = join(state, 'in-the-way');
    writeFileSync(file, '');
    const { log, metrics } = open({ stateDirectory: join(file, 'below') });
    log.configure(config());
    for (let i = 0; i < 3; i++) {
      const tap = log.openTap(head());
      runExchange(tap);
      assert.equal(tap.verdict().terminal, 'seen');
      tap.ended({ kind: 'complete' }, 200);
    }
    await log.close(AbortSignal.timeout(300));
    assert.equal(lines.filter((line) => line.includes('Cannot write the journal')).length, 1);
    assert.deepEqual(await recorded(metrics), ['sluice_log_records_total{target="file",result="dropped_shutdown"} 3']);
    const [failures] = await series(metrics, 'sluice_watch_failures_total{part="journal"}');
    assert.ok(Number(failures?.split(' ')[1]) >= 3);
  });

  it('counts what a shutdown cuts off as dropped, and the next start still tells of it', async () => {
    const { log, metrics } = open();
    log.configure(config({ targets: [FILE_TARGET] }));
    const tap = log.openTap(head());
    runExchange(tap);
    tap.ended({ kind: 'upstream_cut' }, 200);
    await log.close(AbortSignal.abort());
    assert.deepEqual(await recorded(metrics), ['sluice_log_records_total{target="file",result="dropped_shutdown"} 1']);
    const next = open();
    next.log.configure(config());
    await next.log.close(soon());
    assert.deepEqual(
      records().map((r) => [r.recovered, r.end, r.status]),
      [[true, 'upstream_cut', 200]],
    );
  });

  it('finds the exchanges of a process that was killed, once', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', KILLED_PROGRAM, state], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(createInterface({ input: child.stdout }), 'line');
    child.kill('SIGKILL');
    await once(child, 'close');
    for (const start of [1, 2]) {
      const { log, metrics } = open();
      log.configure(config());
      await log.close(soon());
      const killed = await series(metrics, 'sluice_exchanges_total{');
      assert.equal(killed.length, start === 1 ? 2 : 0, `start ${start}`);
    }
    assert.deepEqual(
      records().map((r) => [r.id, r.recovered, r.end, r.route, r.model.asked, r.request.target]),
      [
        ['killed-early', true, 'killed', undefined, undefined, '/v1/messages?key=[redacted]'],
        ['killed-late', true, 'killed', 'opus', 'm', '/v1/messages'],
      ],
    );
  });
});

/** Opens exchanges as the proxy does, ends one, and waits to be killed. */
const KILLED_PROGRAM = `
  const load = (file) => import(new URL(file, ${JSON.stringify(import.meta.url)}).href);
  const { openLog } = await load('./log.ts');
  const { createMetrics } = await load('../observe/metrics.ts');
  const { createLogger } = await load('./logger.ts');
  const log = openLog({ stateDirectory: process.argv[1], metrics: createMetrics(), logger: createLogger(), workload: {} });
  const head = (id, target) => ({ id, receivedAt: performance.now(), receivedAtEpochMs: Date.now(), method: 'POST', target, dialect: 'anthropic', rawHeaders: [] });
  log.openTap(head('closed', '/v1/messages')).ended({ kind: 'complete' }, 200);
  await new Promise((resolve) => setTimeout(resolve, 50));
  log.openTap(head('killed-early', '/v1/messages?key=SECRET'));
  log.openTap(head('killed-late', '/v1/messages')).matched('opus', { model: 'm', agent: undefined, stream: true });
  console.log('open');
  setInterval(() => {}, 1000);
`;
