/** Promise: on a busy core the log's threads run when the one that passes bytes on has nothing to do; that one and all others keep their priority. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { kept, scene, talk } from '../support/audit/conversations.ts';

/** One thread each: for patterns, the spool and the archive. */
const LOGGING = {
  capture: { redact: [{ pattern: '[0-9]{16}' }] },
  audit: { enabled: true },
  targets: [
    { name: 'stdout', stdout: {} },
    { name: 'down', http: { url: 'http://127.0.0.1:9/' } },
  ],
};

/** Threads of a process by name; of each its niceness (proc_pid_stat(5), field 19). */
function niceness(pid: number): { readonly name: string; readonly nice: number }[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    return { name: stat.slice(stat.indexOf('(') + 1, end), nice: Number(stat.slice(end + 2).split(' ')[16]) };
  });
}

test("the log's threads stand back behind the streams", async (t) => {
  const { proxy, upstream } = await scene(t, LOGGING);
  await talk({ proxy, upstream }, 'hello', ['said']);
  await kept(proxy, 1);
  const threads = niceness(proxy.pid);
  const own = threads.find(({ name }) => name === 'node-MainThread')?.nice ?? Number.NaN;
  const [log, others] = [true, false].map((isLog) =>
    threads.filter(({ name }) => (name === 'WorkerThread') === isLog).map(({ nice }) => nice),
  );
  assert.deepEqual(
    log,
    Array.from({ length: 3 }, () => Math.min(19, own + 10)),
  );
  assert.deepEqual(new Set(others), new Set([own]));
});
