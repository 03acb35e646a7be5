import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BodyCapture, CaptureBudget } from '../capture.ts';
import type { FactsSoFar } from '../exchange-facts.ts';
import type { JournalMark } from '../journal.ts';
import { buildRecord, type PartialRecord, RECORD_VERSION } from '../record.ts';
import { recordLine } from '../record-line.ts';
import { NO_RULES } from '../rules.ts';
import type { Target } from '../targets/target.ts';
import { PartialWriter, type PartialWriterOptions, type ProgressSource } from './partial-writer.ts';

/** A writer whose every effect is noted in order. */
function open(overrides: Partial<PartialWriterOptions> = {}) {
  const seen: string[] = [];
  const records: PartialRecord[] = [];
  let wake = Promise.withResolvers<void>();
  const note = (what: string): void => {
    seen.push(what);
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const target: Target = {
    deliver: (bytes, _settled, key) => {
      records.push(JSON.parse(bytes.toString()) as PartialRecord);
      note(`deliver ${key}`);
    },
    lose: () => {},
    states: () => [],
    close: () => Promise.resolve(),
  };
  const writer = new PartialWriter({
    maker: { make: (facts) => Promise.resolve(lineOf(facts)) },
    states: { keep: (id) => Promise.resolve(note(`keep ${id}`)) },
    journal: { now: (mark: JournalMark) => note(`${mark.mark} ${mark.id} ${'sequence' in mark ? mark.sequence : ''}`) },
    metrics: { watchFailed: (part) => note(`failed ${part}`) },
    logger: { error: (message) => note(message) },
    targets: () => [target],
    rest: () => new Promise(setImmediate),
    ...overrides,
  });
  const until = async (what: string): Promise<void> => {
    while (!seen.includes(what)) await wake.promise;
  };
  return { writer, seen, records, until };
}

const nothing = { facts: { bytes: 0, sha256: '', truncated: false }, form: 'none', content: '', redacted: 0 } as const;

function lineOf(facts: FactsSoFar, more: Partial<PartialRecord> = {}): Buffer {
  const body = { draft: nothing, content: '' };
  const parts = { requestBody: body, responseBody: body, assembled: undefined, patternsReplaced: 0 };
  const all = { ...parts, model: facts.model, usage: facts.usage };
  return recordLine({ ...buildRecord(facts, all, { hop: 'sidecar', workload: {} }), ...more });
}

/** A stream that has grown whenever it is looked at, unless told otherwise. */
function stream(id: string, more: Partial<ProgressSource> = {}): ProgressSource {
  let bytes = 0;
  const capture = new BodyCapture(100, new CaptureBudget(1000)).snapshot();
  const soFar = (): FactsSoFar => ({
    head: {
      id,
      receivedAt: 0,
      receivedAtEpochMs: 0,
      method: 'POST',
      target: '/',
      dialect: 'anthropic',
      rawHeaders: [],
    },
    rules: NO_RULES,
    route: 'opus',
    request: undefined,
    attempts: [],
    toolCalls: [],
    answer: undefined,
    requestBody: capture,
    responseBody: capture,
    times: { firstByteAt: 1 },
    contentEvents: 3,
    model: 'm',
    usage: { outputTokens: 3 },
    status: 200,
  });
  return { id, everyMs: 1, answerBytes: () => ++bytes, soFar, ...more };
}

describe('PartialWriter', () => {
  it('records a running stream with rising sequences, each kept and journalled before it leaves', async () => {
    const { writer, seen, records, until } = open();
    const progress = writer.begin(stream('a'));
    await until('deliver a/2');
    assert.equal(progress.end(), 3, 'the whole record is one above');
    assert.deepEqual(seen.slice(0, 6), ['keep a', 'partial a 0', 'deliver a', 'keep a', 'partial a 1', 'deliver a/1']);
    const [first, second] = records;
    assert.deepEqual([first?.sequence, second?.sequence], [0, 1]);
    const { version, id, partial, usage, status, route } = first ?? assert.fail();
    assert.deepEqual(
      { version, id, partial, usage, status, route },
      {
        version: RECORD_VERSION,
        id: 'a',
        partial: true,
        usage: { outputTokens: 3, partial: true },
        status: 200,
        route: 'opus',
      },
    );
    assert.ok(!('end' in (first ?? {})));
  });

  it('lets nothing leave once the stream has ended, also when it ends while its record is being made or kept', async () => {
    for (const at of ['make', 'keep'] as const) {
      const reached = Promise.withResolvers<void>();
      const go = Promise.withResolvers<void>();
      const wait = async (): Promise<void> => {
        reached.resolve();
        await go.promise;
      };
      const { writer, seen, until } = open({
        ...(at === 'make' && { maker: { make: (facts) => wait().then(() => lineOf(facts)) } }),
        ...(at === 'keep' && { states: { keep: wait } }),
      });
      const progress = writer.begin(stream('a'));
      await reached.promise;
      assert.equal(progress.end(), 0);
      const other = writer.begin(stream('b'));
      go.resolve();
      await until('deliver b');
      other.end();
      assert.ok(!seen.some((what) => what.startsWith('deliver a') || what.startsWith('partial a')), String(seen));
    }
  });

  it('records no stream of which nothing has come since', async () => {
    let looked = 0;
    const { writer, seen, until } = open();
    const still = writer.begin(stream('still', { answerBytes: () => (looked++ < 0 ? 0 : 7) }));
    const other = writer.begin(stream('other'));
    await until('deliver other/3');
    while (looked < 3) await new Promise(setImmediate);
    assert.deepEqual(
      seen.filter((what) => what.startsWith('deliver still')),
      ['deliver still'],
    );
    assert.equal(still.end(), 1);
    other.end();
  });

  it('makes one record at a time, and rests after it as long as its bytes ask for', async () => {
    let making = 0;
    let most = 0;
    const rests: number[] = [];
    const { writer, records, until } = open({
      maker: {
        make: async (facts) => {
          most = Math.max(most, ++making);
          await new Promise(setImmediate);
          making--;
          return lineOf(facts, { agent: 'x'.repeat(1024 ** 2) });
        },
      },
      rest: async (ms) => {
        rests.push(ms);
        await new Promise(setImmediate);
      },
    });
    const all = ['a', 'b', 'c', 'd'].map((id) => writer.begin(stream(id)));
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => until(`deliver ${id}/1`)));
    for (const progress of all) progress.end();
    assert.equal(most, 1);
    assert.ok(records.length >= 8 && rests.length >= 7);
    assert.ok(
      Math.min(...rests) >= 240,
      `${Math.min(...rests)} ms after a record of 1 MiB, of which there may be 4 a second`,
    );
  });

  it('tells once that a record cannot be made, counts each, and goes on with the stream and the others', async () => {
    let made = 0;
    const { writer, seen, until } = open({
      maker: { make: (facts) => (++made < 3 ? Promise.reject(new Error('broken')) : Promise.resolve(lineOf(facts))) },
    });
    const progress = writer.begin(stream('a'));
    await until('deliver a');
    progress.end();
    assert.equal(seen.filter((what) => what === 'failed record').length, 2);
    assert.equal(seen.filter((what) => what.startsWith('Cannot record the progress')).length, 1);
  });

  it('lets nothing leave once it is closed', async () => {
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const { writer, seen } = open({
      maker: {
        make: async (facts) => {
          reached.resolve();
          await go.promise;
          return lineOf(facts);
        },
      },
    });
    const progress = writer.begin(stream('a'));
    await reached.promise;
    writer.close();
    go.resolve();
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    assert.deepEqual(seen, []);
    assert.equal(progress.end(), 0);
  });
});
