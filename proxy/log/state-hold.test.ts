import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StateHold } from './state-hold.ts';

test('StateHold gives a directory to one at a time, and to the next when that one has gone', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-hold-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const state = join(root, 'state');
  const first = new StateHold(state);
  const second = new StateHold(state);
  t.after(() => second.close());
  assert.deepEqual([first.held, second.held, second.take()], [true, false, false]);
  first.close();
  assert.deepEqual([first.held, second.take(), second.held], [false, true, true]);
});

test('StateHold keeps nobody from a place where nothing can be written', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-hold-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(join(root, 'file'), '');
  for (let count = 0; count < 2; count += 1) assert.equal(new StateHold(join(root, 'file', 'below')).held, true);
});
