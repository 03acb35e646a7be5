import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { Vault, type VaultEvent } from './vault.ts';

const BOUNDS = { maxBytes: 16 * 1024 ** 2, maxAgeMs: 3_600_000 };

function opened(t: TestContext) {
  const state = mkdtempSync(join(tmpdir(), 'sluice-vault-'));
  const told: VaultEvent['event'][] = [];
  const clock = { now: Date.parse('2026-01-31T12:00:00Z') };
  const vault = new Vault(
    state,
    ({ event }) => told.push(event),
    () => clock.now,
  );
  t.after(() => {
    vault.close();
    rmSync(state, { recursive: true, force: true });
  });
  const keep = (id: string): boolean | undefined =>
    vault.use((store) => {
      store.add([Buffer.from(JSON.stringify({ id, times: { received: new Date(clock.now).toISOString() } }))]);
      return true;
    });
  return { vault, told, clock, keep, folder: join(state, 'audit'), state };
}

test('vault: before it is configured nothing is opened', (t) => {
  const { keep, state } = opened(t);
  assert.equal(keep('a'), undefined);
  assert.deepEqual(readdirSync(state), []);
});

test('vault: of damaged files and of those of a newer version the latest is set aside, and keeping goes on', (t) => {
  const { vault, told, clock, keep, folder } = opened(t);
  mkdirSync(folder);
  for (const content of ['no database at all, '.repeat(300), undefined]) {
    clock.now += 1;
    if (content !== undefined) writeFileSync(join(folder, 'audit.db'), content);
    else {
      vault.close();
      const db = new DatabaseSync(join(folder, 'audit.db'));
      db.exec('PRAGMA user_version = 999');
      db.close();
    }
    vault.configure({ ...BOUNDS, maxAgeMs: clock.now });
    assert.equal(keep('a'), true);
    assert.equal(
      vault.use((store) => store.state().records),
      1,
    );
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes('.corrupt-')),
      [`audit.db.corrupt-${clock.now}`],
    );
  }
  assert.deepEqual(told, ['set_aside', 'set_aside']);
});

test('vault: a folder that cannot be used is told of once, tried again later, and told of when it works again', (t) => {
  const { vault, told, clock, keep, folder } = opened(t);
  writeFileSync(folder, 'a file where the folder should be');
  vault.configure(BOUNDS);
  assert.equal(keep('a'), undefined);
  assert.equal(keep('b'), undefined);
  rmSync(folder);
  assert.equal(keep('c'), undefined, 'not tried again so soon');
  clock.now += 6_000;
  assert.equal(keep('d'), true);
  assert.deepEqual(told, ['failing', 'works_again']);
});

test('vault: a question that fails leaves the file alone', (t) => {
  const { vault, told, keep } = opened(t);
  vault.configure(BOUNDS);
  assert.equal(keep('a'), true);
  assert.equal(
    vault.use(() => {
      throw new TypeError('odd');
    }),
    undefined,
  );
  assert.equal(
    vault.use((store) => store.state().records),
    1,
  );
  assert.deepEqual(told, ['failing', 'works_again']);
});
