import assert from 'node:assert/strict';
import test from 'node:test';
import type { CredentialSource, ValidUpstream } from '#contract/compiled.ts';
import type { Dialect } from '#contract/dialect.ts';
import { PLACEHOLDER_KEY } from '#contract/names.ts';
import { CREDENTIAL_HEADERS, chooseCredential, credentialProblems } from './credentials.ts';

const CLIENT: CredentialSource = { kind: 'client' };
const SECRET: CredentialSource = { kind: 'secret', file: 'f', header: 'x-api-key', scheme: 'bare' };
const BEARER: CredentialSource = { kind: 'secret', file: 'f', header: 'authorization', scheme: 'bearer' };
const ODD: CredentialSource = { kind: 'secret', file: 'absent', header: 'x-odd-key', scheme: 'bare' };

const upstream = (credentials: CredentialSource[], dialect: Dialect = 'anthropic'): ValidUpstream => ({
  kind: 'valid',
  name: 'u',
  dialect,
  origin: 'http://x',
  basePath: '',
  credentials,
  timeouts: { connectMs: 0, firstByteMs: 0, idleMs: 0, totalMs: 0 },
  modelMap: [],
  translation: { flavor: 'openai', maxTokens: 8192, onLoss: 'warn' },
});
const SECRETS = new Map([['f', 'sk-ours']]);

function choose(sources: CredentialSource[], rawHeaders: string[], dialect: Dialect = 'anthropic'): unknown {
  const { removed, added } = chooseCredential(upstream(sources), { dialect, rawHeaders }, SECRETS);
  return { passes: CREDENTIAL_HEADERS.filter((name) => !removed.has(name)), added };
}

test('chooseCredential() passes the caller on where the caller comes first and has a key', () => {
  assert.deepEqual(choose([CLIENT, SECRET], ['X-Api-Key', 'sk-theirs']), { passes: ['x-api-key'], added: undefined });
  assert.deepEqual(choose([CLIENT, SECRET], ['Authorization', 'Bearer sk-ant-oat01', 'x-api-key', 'k']), {
    passes: ['authorization', 'x-api-key'],
    added: undefined,
  });
});

test('chooseCredential() takes the placeholder, an empty key or another dialect for no key at all', () => {
  const ours = { passes: [], added: ['x-api-key', 'sk-ours'] };
  assert.deepEqual(choose([CLIENT, SECRET], ['x-api-key', PLACEHOLDER_KEY]), ours);
  assert.deepEqual(choose([CLIENT, SECRET], ['authorization', `Bearer ${PLACEHOLDER_KEY}`]), ours);
  assert.deepEqual(choose([CLIENT, SECRET], ['authorization', 'Bearer ']), ours);
  assert.deepEqual(choose([CLIENT, SECRET], ['authorization', 'Bearer sk-openai'], 'openai'), ours);
  assert.deepEqual(choose([CLIENT, SECRET], ['x-api-key', PLACEHOLDER_KEY, 'authorization', 'Bearer real']), {
    passes: ['authorization'],
    added: undefined,
  });
});

test('chooseCredential() removes every key of the caller when ours, or none, was chosen', () => {
  const caller = ['x-api-key', 'k', 'authorization', 'Bearer b', 'api-key', 'a', 'proxy-authorization', 'p'];
  assert.deepEqual(choose([BEARER], caller), { passes: [], added: ['authorization', 'Bearer sk-ours'] });
  assert.deepEqual(choose([], caller), { passes: [], added: undefined });
  assert.deepEqual(choose([ODD, CLIENT], []), { passes: [], added: undefined });
});

test('chooseCredential() removes the header of a source that was not chosen', () => {
  const { removed } = chooseCredential(
    upstream([CLIENT, ODD]),
    { dialect: 'anthropic', rawHeaders: ['x-api-key', 'k'] },
    SECRETS,
  );
  assert.ok(removed.has('x-odd-key') && !removed.has('x-api-key'));
});

test('credentialProblems() names what is missing or cannot be sent, never the value', () => {
  const problems = credentialProblems([upstream([SECRET, ODD])], new Map([['f', 'sk\r\nsecret']]));
  assert.deepEqual(
    problems.map((p) => p.path),
    ['f', 'absent'],
  );
  assert.doesNotMatch(JSON.stringify(problems), /secret\b.*sk/);
  assert.deepEqual(credentialProblems([upstream([SECRET])], SECRETS), []);
});
