import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AuditFilter } from './messages.ts';
import { openArchive } from './schema.ts';
import { AuditStore } from './store.ts';

const MIB = 1024 ** 2;

function opened(t: TestContext, maxBytes = 64 * MIB, maxAgeMs = 3_600_000) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-'));
  const path = join(folder, 'audit.db');
  const store = new AuditStore(openArchive(path), { maxBytes, maxAgeMs });
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });
  return { store, path };
}

function record(id: string, prompt: string, more: object = {}): Buffer {
  const body = { messages: [{ role: 'user', content: prompt }] };
  const times = { received: '2026-01-31T12:00:00.000Z' };
  const request = { target: '/v1/messages?beta=1', body: { text: JSON.stringify(body) } };
  return Buffer.from(
    JSON.stringify({
      id,
      exchange: `${id}-x`,
      times,
      request,
      model: {},
      status: 200,
      end: 'complete',
      dialect: 'anthropic',
      ...more,
    }),
  );
}

function found(store: AuditStore, filter: AuditFilter): string[] {
  return store.search.page({ filter, limit: 1000, whole: false }).hits.map(({ id }) => id);
}

test('store: the oldest go when the bound is reached, the file stays within it, and what is gone is not found', (t) => {
  const { store, path } = opened(t, 2 * MIB);
  const total = 1500;
  for (let i = 0; i < total; i += 10) {
    store.add(
      Array.from({ length: 10 }, (_, j) => record(`r${i + j}`, `word${i + j} ${randomBytes(1500).toString('hex')}`)),
    );
    assert.ok(store.usedBytes <= 2 * MIB, `${store.usedBytes} after ${i}`);
  }
  assert.ok(statSync(path).size <= 2.5 * MIB + 512 * 4096, `${statSync(path).size}`);
  const { records } = store.state();
  assert.ok(records > 50 && records < total, `${records}`);
  assert.deepEqual(found(store, { text: `word${total - 1}` }), [`r${total - 1}`]);
  assert.deepEqual(found(store, { text: 'word0' }), []);
  assert.equal(store.search.whole('r0'), undefined);
  const all: string[] = [];
  for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
    const page = store.search.page({ filter: {}, limit: 100, before, whole: false });
    all.push(...page.hits.map(({ id }) => id));
    before = page.next;
  }
  assert.deepEqual(
    all,
    Array.from({ length: records }, (_, i) => `r${total - 1 - i}`),
  );
});

test('store: what is too old goes, also when it came late', (t) => {
  const { store } = opened(t);
  const at = (received: string): object => ({ times: { received } });
  store.add([
    record('old', 'heron', at('2026-01-31T10:00:00.000Z')),
    record('new', 'heron', at('2026-01-31T12:00:00.000Z')),
  ]);
  const now = Date.parse('2026-01-31T12:30:00.000Z');
  while (store.upkeep(now));
  assert.deepEqual(found(store, { text: 'heron' }), ['new']);
  while (store.upkeep(now + 3_600_000));
  assert.deepEqual(found(store, {}), []);
});

test('store: what is too old goes behind a record of a wrong clock, or of a stream that began later', (t) => {
  const { store } = opened(t);
  const now = Date.parse('2026-01-31T12:30:00.000Z');
  const at = (epochMs: number): object => ({ times: { received: new Date(epochMs).toISOString() } });
  store.add([record('wrong', 'heron', at(now + 4 * 365 * 86_400_000)), record('late', 'heron', at(now - 60_000))]);
  store.add(Array.from({ length: 300 }, (_, i) => record(`old${i}`, 'heron', at(now - 7_200_000))));
  store.add([record('corrected', 'heron', at(now + 60_000))]);
  while (store.upkeep(now));
  assert.deepEqual(found(store, { text: 'heron' }), ['corrected', 'late']);
  assert.equal(store.state().oldest, new Date(now - 60_000).toISOString());
});

test('store: a clock that was years behind when the process began makes no present record one of the future', (t) => {
  const { store } = opened(t);
  const began = Date.parse('1970-01-01T00:00:20.000Z');
  store.add([record('present', 'heron')]);
  const noon = Date.parse('2026-01-31T12:00:00.000Z');
  while (store.upkeep(began, noon + 1000));
  assert.deepEqual(found(store, {}), ['present']);
  while (store.upkeep(began, began));
  assert.deepEqual(found(store, {}), [], 'nobody knows of when it is');
});

test('store: an archive of the version before is taken over, and what is too old in it goes', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'audit.db');
  const bounds = { maxBytes: MIB, maxAgeMs: 3_600_000 };
  const db = openArchive(path);
  new AuditStore(db, bounds).add([record('a', 'heron'), record('b', 'gull')]);
  db.exec('DROP INDEX records_at; PRAGMA user_version = 2');
  db.close();
  const store = new AuditStore(openArchive(path), bounds);
  t.after(() => store.close());
  assert.deepEqual(found(store, {}), ['b', 'a']);
  while (store.upkeep(Date.parse('2026-01-31T13:00:01.000Z')));
  assert.deepEqual(found(store, {}), []);
});

test('store: a record that comes again is kept once, and one that is none keeps no other from being kept', (t) => {
  const { store } = opened(t);
  store.add([
    record('a', 'heron'),
    Buffer.from('{'),
    Buffer.from('{"id":7}'),
    record('b', 'heron'),
    record('a', 'other'),
  ]);
  store.add([record('a', 'heron')]);
  assert.deepEqual(found(store, { text: 'heron' }), ['b', 'a']);
  assert.deepEqual(found(store, { id: 'a-x' }), ['a']);
  assert.equal(store.search.whole('a-x'), record('a', 'heron').toString());
  assert.equal(store.state().records, 2);
});

test('store: a running stream is one record, found by what it said by now, in its newest state', (t) => {
  const { store } = opened(t);
  const said = (text: string, more: object): Buffer => record('a', text, { end: undefined, ...more });
  store.add([said('heron', { sequence: 0, partial: true }), record('b', 'gull')]);
  store.add([said('heron dives', { sequence: 1, partial: true })]);
  assert.deepEqual(found(store, {}), ['a', 'b'], 'the newest that came in');
  const [running] = store.search.page({ filter: { text: 'dives' }, limit: 9, whole: false }).hits;
  assert.deepEqual([running?.id, running !== undefined && 'end' in running], ['a', false]);
  assert.deepEqual(found(store, { end: 'undefined' }), []);
  assert.deepEqual(found(store, { end: 'running' }), ['a']);
  store.add([said('heron dives deep', { sequence: 3, end: 'complete' })]);
  store.add([said('heron late', { sequence: 2, partial: true }), said('again', { sequence: 3, end: 'complete' })]);
  assert.deepEqual(found(store, { text: 'heron' }), ['a']);
  assert.deepEqual(found(store, { text: 'late' }), []);
  assert.deepEqual(found(store, { end: 'running' }), []);
  assert.deepEqual(found(store, { text: 'deep', end: 'complete' }), ['a']);
  assert.match(store.search.whole('a-x') ?? '', /"sequence":3/);
  assert.equal(store.state().records, 2);
});

test('store: a record that would push out many others is kept without its bodies', (t) => {
  const { store } = opened(t, MIB);
  store.add([record('small', 'heron')]);
  store.add([record('large', `heron ${randomBytes(2 * MIB).toString('hex')}`)]);
  assert.deepEqual(found(store, { text: 'heron' }), ['small']);
  assert.deepEqual(found(store, {}), ['large', 'small']);
  assert.match(store.search.whole('large') ?? '', /"truncated":true/);
});

test('store: marks in what was said forge no match', (t) => {
  const { store } = opened(t);
  store.add([record('a', 'heron \u0002not asked\u0003 for')]);
  const [hit] = store.search.page({ filter: { text: 'heron' }, limit: 1, whole: false }).hits;
  assert.deepEqual(hit?.snippet, [{ text: 'heron', match: true }, { text: ' not asked for' }]);
});
