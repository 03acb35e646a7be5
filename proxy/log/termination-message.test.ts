import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseRemainder } from '#contract/remainder.ts';
import type { Logger } from './logger.ts';
import type { TargetState } from './targets/target.ts';
import { tellFailure, tellRemainder } from './termination-message.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-remainder-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function loggerTo(lines: string[]): Logger {
  const add = (message: string): void => void lines.push(message);
  return { debug: add, info: add, warn: add, error: add };
}

const state = (name: string, waiting: number, shutdown = 0): TargetState => ({
  name,
  state: 'ok',
  seen: waiting + shutdown,
  delivered: 0,
  waiting,
  dropped: { shutdown, overflow: 3 },
});

test('the file says at once what waits, and at the end what is left', (t) => {
  const path = join(folderOf(t), 'termination-log');
  writeFileSync(path, '');
  const lines: string[] = [];
  let states = [state('store', 1000), state('other', 4), state('stdout', 2)];
  const told = tellRemainder({ path, states: () => states, logger: loggerTo(lines) });
  const read = () => parseRemainder(readFileSync(path, 'utf8'));
  const left = (name: string, waiting: number, dropped = 0) => ({ name, waiting, dropped });
  assert.deepEqual(read(), { final: false, targets: [left('store', 1000), left('other', 4), left('stdout', 2)] });
  states = [state('store', 7), state('other', 0), state('stdout', 0, 2)];
  told();
  assert.deepEqual(read(), { final: true, targets: [left('store', 7), left('stdout', 0, 2)] });
  assert.deepEqual(lines, []);
});

test('what it says is refreshed while the process stops', async (t) => {
  const path = join(folderOf(t), 'termination-log');
  writeFileSync(path, '');
  const asked = Promise.withResolvers<void>();
  let asks = 0;
  const states = (): TargetState[] => {
    asks += 1;
    if (asks === 4) asked.resolve();
    return [state('store', asks)];
  };
  const told = tellRemainder({ path, states, logger: loggerTo([]) });
  const keepAlive = setTimeout(() => {}, 60_000);
  await asked.promise;
  clearTimeout(keepAlive);
  assert.deepEqual(parseRemainder(readFileSync(path, 'utf8'))?.targets[0]?.waiting, 4);
  told();
});

test('what an earlier process gave up is not told again', (t) => {
  const path = join(folderOf(t), 'termination-log');
  writeFileSync(path, '');
  let shutdown = 5;
  const told = tellRemainder({ path, states: () => [state('store', 0, shutdown)], logger: loggerTo([]) });
  shutdown = 6;
  told();
  assert.deepEqual(parseRemainder(readFileSync(path, 'utf8'))?.targets, [{ name: 'store', waiting: 0, dropped: 1 }]);
});

test('a file that is not there is one warning, and no setting is none', (t) => {
  const lines: string[] = [];
  const parts = { states: () => [state('store', 1)], logger: loggerTo(lines) };
  tellRemainder({ ...parts, path: join(folderOf(t), 'absent') })();
  assert.equal(lines.length, 1);
  tellRemainder({ ...parts, path: undefined })();
  assert.equal(lines.length, 1);
});

test('why a process did not start is no remainder, and carries no password', (t) => {
  const path = join(folderOf(t), 'termination-log');
  writeFileSync(path, '');
  tellFailure(path, 'cannot reach postgres://user:hunter2@db/records');
  const text = readFileSync(path, 'utf8');
  assert.match(text, /^Cannot start the sidecar: cannot reach/);
  assert.doesNotMatch(text, /hunter2/);
  assert.equal(parseRemainder(text), undefined);
  tellFailure(join(folderOf(t), 'absent'), 'whatever');
  tellFailure(undefined, 'whatever');
});
