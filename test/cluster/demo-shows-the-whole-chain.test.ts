/** Promise of the README: `npm run demo` shows the whole chain and ends with what the pod received. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { installed } from '../support/cluster/installed.ts';
import { run } from '../support/cluster/kubectl.ts';

const ROOT = join(import.meta.dirname, '../..');

test('npm run demo ends by printing the streamed answer, the status and the stream-latency metrics', async () => {
  const { kubectl } = await installed();
  try {
    const result = await run(['npm', '--prefix', ROOT, 'run', 'demo'], { timeoutMs: 300_000 });
    assert.equal(result.code, 0, result.stderr + result.stdout);
    for (const sdk of ['anthropic', 'openai']) assert.match(result.stdout, new RegExp(`"sdk": "${sdk}"`));
    assert.match(result.stdout, /Byte für Byte/);
    assert.match(result.stdout, /Programmed=True Programmed: Revision [0-9a-f]{16} runs in 1 of 1 sidecars\./);
    assert.match(result.stdout, /sluice_time_to_first_token_seconds_count\{[^}]*route="messages"[^}]*\} 1$/m);
    assert.match(result.stdout, /sluice_inter_token_seconds_count\{[^}]*route="openai"[^}]*\} 23$/m);
  } finally {
    await kubectl.try(['delete', 'namespace', 'sluice-demo', '--wait=false']);
  }
});
