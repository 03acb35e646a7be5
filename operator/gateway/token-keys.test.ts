import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { ISSUER, signer } from '../../test/support/service-account-tokens.ts';
import { TokenKeyReader } from './token-keys.ts';

const one = signer('key-1');
const two = signer('key-2', 'ES256');
const everyMs = { known: 5, unknown: 5 };

test('TokenKeyReader reads nothing before it is asked', async (t) => {
  let reads = 0;
  const read = async () => {
    reads += 1;
    return { discovery: { issuer: ISSUER }, keySet: one.keySet };
  };
  const changes = new EventEmitter();
  const reader = new TokenKeyReader({ read, onChange: (key) => changes.emit('change', key), everyMs });
  t.after(() => reader.stop());
  assert.equal(reads, 0);
  assert.deepEqual(reader.want('a/b'), { kind: 'unknown', problem: undefined });
  assert.deepEqual(await once(changes, 'change'), ['a/b']);
  assert.deepEqual(reader.want('a/b'), { kind: 'known', keys: one.tokenKeys });
});

test('TokenKeyReader brings a rotation to those who want it, and keeps what it knows through failures', async (t) => {
  let answer: () => Promise<{ discovery: unknown; keySet: unknown }> = () =>
    Promise.reject(new Error('Cannot read: 403'));
  const told: string[] = [];
  const changes = new EventEmitter();
  const onChange = (key: string): void => {
    told.push(key);
    changes.emit('change');
  };
  const reader = new TokenKeyReader({ read: () => answer(), onChange, everyMs });
  t.after(() => reader.stop());
  reader.want('a/gone');
  reader.want('a/b');
  await once(changes, 'change');
  assert.deepEqual(reader.want('a/b'), { kind: 'unknown', problem: 'Cannot read: 403' });
  reader.forget('a/gone');
  told.length = 0;
  answer = async () => ({ discovery: { issuer: ISSUER }, keySet: one.keySet });
  await once(changes, 'change');
  assert.deepEqual(told, ['a/b']);
  let failures = 0;
  const failed = new Promise<void>((resolve) => {
    answer = () => {
      failures += 1;
      if (failures === 3) resolve();
      return failures % 2
        ? Promise.reject(new Error('down'))
        : Promise.resolve({ discovery: {}, keySet: { keys: [] } });
    };
  });
  await failed;
  assert.deepEqual(reader.want('a/b'), { kind: 'known', keys: one.tokenKeys });
  answer = async () => ({ discovery: { issuer: ISSUER }, keySet: { keys: [...two.keySet.keys, ...one.keySet.keys] } });
  await once(changes, 'change');
  const state = reader.want('a/b');
  assert.deepEqual(state.kind === 'known' && state.keys.keys.map(({ kid }) => kid), ['key-1', 'key-2']);
});
