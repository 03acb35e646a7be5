// A recorded process must never be taken for another one that got its pid later.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { isAlive, recordOf } from './processes.ts';

const skip = process.platform === 'linux' ? false : '/proc is needed';

test('isAlive() knows a process by its pid and start time together', { skip }, async () => {
  const record = await recordOf('self', process.pid);
  assert.ok(record);
  assert.equal(await isAlive(record), true);
  assert.equal(await isAlive({ ...record, startTicks: '1' }), false);
});

test('isAlive() is false once the process has ended', { skip }, async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const record = await recordOf('sleep', child.pid ?? -1);
  assert.ok(record);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(await isAlive(record), false);
});
