import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { createLogger } from '../logger.ts';
import { FileSink } from './file.ts';
import { LineQueue } from './line-queue.ts';
import { type LineSink, QueuedTarget, SinkGoneError, type TargetCounts } from './target.ts';

const silent = createLogger({ write: () => {} });
const services = { metrics: { logged: () => {}, waiting: () => {} }, logger: silent };
const noop = (): void => {};
const line = (text: string): Buffer => Buffer.from(`${text}\n`);

function assertBalanced({ seen, delivered, waiting, dropped }: TargetCounts): void {
  assert.equal(seen, delivered + waiting + Object.values(dropped).reduce((sum, n) => sum + n, 0));
}

/** A sink whose every write is answered by the test. */
function scriptedSink() {
  const writes: { text: string; ok: () => void; fail: (error: Error) => void }[] = [];
  let wake = noop;
  const sink: LineSink = {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        writes.push({ text: bytes.toString(), ok: resolve, fail: reject });
        wake();
      }),
    close: () => Promise.resolve(),
  };
  const next = async () => {
    while (writes.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return writes.shift() ?? assert.fail();
  };
  return { sink, next };
}

const LIMITS = { bytes: 1000, records: 5 };

describe('LineQueue', () => {
  it('never exceeds its bounds but for a single line, and loses the oldest first', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(60), fc.constant(-1)), { maxLength: 60 }), (steps) => {
        const queue = new LineQueue({ bytes: 100, records: 4 });
        let expected: number[] = [];
        let number = 0;
        for (const step of steps) {
          if (step === -1) {
            assert.deepEqual(
              queue.take(50).map((l) => l.bytes[0]),
              expected.splice(0, takes(expected, 50)),
            );
            continue;
          }
          const bytes = Buffer.alloc(step + 1, number);
          const dropped = queue.push({ bytes, settled: noop, id: '' });
          assert.deepEqual(
            dropped.map((l) => l.bytes[0]),
            expected.splice(0, dropped.length),
          );
          expected = [...expected, number];
          sizes[number] = bytes.length;
          number = (number + 1) % 256;
          assert.ok(queue.records === 1 || (queue.bytes <= 100 && queue.records <= 4));
          assert.equal(queue.records, expected.length);
        }
      }),
      { numRuns: 200, seed: 20_261_121 },
    );
  });
  const sizes: number[] = [];
  function takes(numbers: readonly number[], maxBytes: number): number {
    let bytes = 0;
    const over = numbers.findIndex((n, i) => (bytes += sizes[n] ?? 0) > maxBytes && i > 0);
    return over === -1 ? numbers.length : over;
  }
});

describe('QueuedTarget', () => {
  it('accounts for every record at any time: delivered, waiting, or dropped by reason', async () => {
    const { sink, next } = scriptedSink();
    const target = new QueuedTarget('t', sink, LIMITS, services);
    const fates: string[] = [];
    for (let i = 0; i < 9; i++) {
      target.deliver(line(`r${i}`), (fate) => fates.push(`r${i} ${fate}`), `r${i}`);
      assertBalanced(target.counts());
    }
    const first = await next();
    assert.equal(first.text, 'r0\n');
    first.ok();
    const second = await next();
    assert.equal(second.text, 'r4\nr5\nr6\nr7\nr8\n');
    assert.deepEqual(target.counts(), { seen: 9, delivered: 1, waiting: 5, dropped: { overflow: 3 } });
    const closing = target.close(AbortSignal.timeout(5000), 'shutdown');
    second.fail(new Error('ENOSPC'));
    const again = await next();
    assert.equal(again.text, second.text, 'the same lines once more');
    again.ok();
    await closing;
    target.deliver(line('late'), noop, 'late');
    target.lose('failed');
    assert.deepEqual(target.counts(), {
      seen: 11,
      delivered: 6,
      waiting: 0,
      dropped: { overflow: 3, shutdown: 1, failed: 1 },
    });
    assert.equal(fates.length, 9);
    assert.deepEqual(fates.slice(0, 4), ['r1 overflow', 'r2 overflow', 'r3 overflow', 'r0 delivered']);
  });

  it('counts what is left as dropped when the time to close is over, a write that hangs included', async () => {
    const { sink, next } = scriptedSink();
    const lines: string[] = [];
    const logger = createLogger({ write: (text) => lines.push(text) });
    const target = new QueuedTarget('t', sink, LIMITS, { ...services, logger });
    target.deliver(line('a'), noop, 'a');
    const hanging = await next();
    target.deliver(line('b'), noop, 'b');
    const stop = new AbortController();
    const closing = target.close(stop.signal, 'shutdown');
    stop.abort();
    await closing;
    assert.deepEqual(target.counts(), { seen: 2, delivered: 0, waiting: 0, dropped: { shutdown: 2 } });
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /"warn".*the rest is dropped.*"target":"t","records":2/);
    hanging.ok();
    await new Promise(setImmediate);
    assert.deepEqual(target.counts().delivered, 0, 'no record is counted twice');
  });

  it('has a line for the records that overflow', () => {
    const { sink } = scriptedSink();
    const lines: string[] = [];
    const logger = createLogger({ write: (text) => lines.push(text) });
    const target = new QueuedTarget('t', sink, LIMITS, { ...services, logger });
    for (let i = 0; i < 9; i++) target.deliver(line(`r${i}`), noop, `r${i}`);
    assert.match(lines.join(), /^\{[^}]*Log target lost records","target":"t","reason":"overflow"[^}]*\}\n$/);
  });

  it('drops all when the sink is gone for good', async () => {
    const { sink, next } = scriptedSink();
    const target = new QueuedTarget('t', sink, LIMITS, services);
    target.deliver(line('a'), noop, 'a');
    (await next()).fail(new SinkGoneError('EPIPE'));
    await target.close(AbortSignal.timeout(5000), 'shutdown');
    target.deliver(line('b'), noop, 'b');
    assert.deepEqual(target.counts(), { seen: 2, delivered: 0, waiting: 0, dropped: { failed: 2 } });
  });
});

describe('FileSink', () => {
  let state = '';
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'sluice-file-'));
  });
  afterEach(() => rmSync(state, { recursive: true }));
  const sinkAt = (path: string, maxBytes = 1000): FileSink => new FileSink({ stateDirectory: state, path, maxBytes });

  it('appends, rotates before the limit and keeps one previous file', async () => {
    const sink = sinkAt('records/out.ndjson', 10);
    for (const text of ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee']) await sink.write(line(text));
    await sink.close();
    assert.deepEqual(readdirSync(join(state, 'records')).sort(), ['out.ndjson', 'out.ndjson.1']);
    assert.equal(readFileSync(join(state, 'records/out.ndjson'), 'utf8'), 'eeee\n');
    assert.equal(readFileSync(join(state, 'records/out.ndjson.1'), 'utf8'), 'cccc\ndddd\n');
  });

  it('goes on with a file that is there, and ends its torn last line', async () => {
    writeFileSync(join(state, 'out'), 'whole\nto');
    const sink = sinkAt('out');
    await sink.write(line('next'));
    await sink.close();
    assert.equal(readFileSync(join(state, 'out'), 'utf8'), 'whole\nto\nnext\n');
  });

  for (const path of ['../out', 'a/../../out', '/etc/out', 'a/', '.', '']) {
    it(`refuses the path "${path}"`, async () => {
      await assert.rejects(sinkAt(path).write(line('x')), SinkGoneError);
    });
  }

  it('follows no link out of the state directory, and makes no folder behind one', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'sluice-outside-'));
    symlinkSync(outside, join(state, 'link'));
    symlinkSync(join(outside, 'file'), join(state, 'out'));
    symlinkSync(join(outside, 'missing'), join(state, 'dangling'));
    mkdirSync(join(state, 'folder'));
    for (const path of ['link/out', 'link/deep/out', 'out', 'dangling', 'dangling/out', 'folder']) {
      await assert.rejects(sinkAt(path).write(line('x')), SinkGoneError, path);
    }
    assert.deepEqual(readdirSync(outside), []);
    rmSync(outside, { recursive: true });
  });

  it('writes to a state directory that is itself reached by a link', async () => {
    symlinkSync(state, `${state}-link`);
    const sink = new FileSink({ stateDirectory: `${state}-link`, path: 'out', maxBytes: 100 });
    await sink.write(line('x'));
    await sink.close();
    rmSync(`${state}-link`);
    assert.equal(readFileSync(join(state, 'out'), 'utf8'), 'x\n');
  });

  for (const [what, take] of [
    ['removed', (path: string) => rmSync(path)],
    ['renamed', (path: string) => renameSync(path, `${path}.old`)],
  ] as const) {
    it(`makes a file anew that was ${what}, within a second`, async (t) => {
      let now = 10_000;
      t.mock.method(performance, 'now', () => now);
      const path = join(state, 'out');
      const sink = sinkAt('out');
      await sink.write(line('a'));
      take(path);
      now += 900;
      await sink.write(line('b'));
      assert.equal(existsSync(path), false, 'looked for at every write');
      now += 200;
      await sink.write(line('c'));
      await sink.write(line('d'));
      assert.equal(readFileSync(path, 'utf8'), 'c\nd\n');
      await sink.close();
      if (what === 'renamed') assert.equal(readFileSync(`${path}.old`, 'utf8'), 'a\nb\n');
    });
  }

  it('follows no link that took the place of its file', async (t) => {
    let now = 10_000;
    t.mock.method(performance, 'now', () => now);
    const sink = sinkAt('out');
    await sink.write(line('a'));
    renameSync(join(state, 'out'), join(state, 'old'));
    symlinkSync(join(state, 'old'), join(state, 'out'));
    now += 1_100;
    await assert.rejects(sink.write(line('b')), SinkGoneError);
    await sink.close();
    assert.equal(readFileSync(join(state, 'old'), 'utf8'), 'a\n');
  });

  it('rejects while the directory is missing and works again when it is back', async () => {
    rmSync(state, { recursive: true });
    const sink = sinkAt('out');
    await assert.rejects(sink.write(line('x')), { message: new RegExp(`^Cannot write "${state}/out": ENOENT`) });
    mkdirSync(state);
    await sink.write(line('x'));
    await sink.close();
    assert.equal(readFileSync(join(state, 'out'), 'utf8'), 'x\n');
    linkSync(join(state, 'out'), join(state, 'other'));
  });
});

/** A process that writes records to its stdout as the proxy does, and tells on stderr what it sees. */
const PROGRAM = `
  const { openTarget } = await import(${JSON.stringify(new URL('./open-target.ts', import.meta.url).href)});
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const metrics = { logged() {}, waiting() {}, forgetTarget() {} };
  const target = openTarget({ kind: 'stdout', name: 's' }, { stateDirectory: '.', queueBytes: 1 << 20, services: { metrics, logger: log } }, Promise.resolve());
  for (let i = 0; i < 3000; i++) target.deliver(Buffer.from(i + 'x'.repeat(1000) + '\\n'), () => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.stderr.write(JSON.stringify({ ...target.counts() }) + '\\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  await target.close(AbortSignal.timeout(3000), 'shutdown');
  process.stderr.write(JSON.stringify(target.counts()) + '\\n');
  process.exit(0);
`;

function stdoutProcess() {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
  const lines = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  const report = async (): Promise<TargetCounts> => JSON.parse(String((await lines.next()).value)) as TargetCounts;
  return { child, report };
}

describe('stdout target', () => {
  it('does not block the process while nobody reads, and loses only what it counts', async () => {
    const { child, report } = stdoutProcess();
    const stalled = await report();
    assertBalanced(stalled);
    assert.ok(stalled.waiting > 0 && (stalled.dropped.overflow ?? 0) > 0, JSON.stringify(stalled));
    let read = '';
    child.stdout.on('data', (data) => {
      read += String(data);
    });
    child.stdin.end('go\n');
    const [code] = await once(child, 'close');
    const last = await report();
    assertBalanced(last);
    assert.equal(code, 0);
    assert.equal(read.split('\n').length - 1, last.delivered);
    assert.equal(last.delivered + (last.dropped.overflow ?? 0), 3000);
  });

  it('survives a reader that is gone', async () => {
    const { child, report } = stdoutProcess();
    await report();
    child.stdout.destroy();
    child.stdin.end('go\n');
    const [code] = await once(child, 'close');
    const last = await report();
    assertBalanced(last);
    assert.equal(code, 0);
    assert.ok((last.dropped.failed ?? 0) > 0);
  });
});
