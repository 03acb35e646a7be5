import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { TOKEN_ALGORITHMS } from '#contract/token-keys.ts';
import { ISSUER, part, publicPem, signer } from '../../test/support/service-account-tokens.ts';
import { tokenVerifier, verifyToken } from './token.ts';

const ours = signer('key-1');
const NOW = Date.now() / 1000;
const judge = (token: string, at = NOW) => verifyToken(token, tokenVerifier(ours.tokenKeys), at);

for (const alg of TOKEN_ALGORITHMS) {
  test(`verifyToken() takes a token that is signed with ${alg}, and says whose it is`, () => {
    const other = signer('key-2', alg);
    const verdict = verifyToken(other.token(), tokenVerifier(other.tokenKeys), NOW);
    assert.deepEqual(verdict, { kind: 'good', owner: { namespace: 'apps', account: 'agent', pod: 'agent-0' } });
  });
}

test('verifyToken() takes an audience of one, and a token that is bound to no pod', () => {
  const bound = { namespace: 'apps', serviceaccount: { name: 'agent' } };
  const verdict = judge(ours.token({ aud: 'sluice', 'kubernetes.io': bound }));
  assert.deepEqual(verdict, { kind: 'good', owner: { namespace: 'apps', account: 'agent' } });
});

const [head = '', body = '', signature = ''] = ours.token().split('.');
const none = part({ alg: 'none', kid: 'key-1' });
const hs256 = part({ alg: 'HS256', kid: 'key-1' });
const forged = createHmac('sha256', publicPem(ours)).update(`${hs256}.${body}`).digest('base64url');

for (const [what, token, problem] of [
  ['has expired', ours.token({ exp: NOW - 1 }), /expired/],
  ['has no end', ours.token({ exp: undefined }), /expired/],
  ['is not valid yet', ours.token({ nbf: NOW + 120 }), /not valid yet/],
  ['is for another audience', ours.token({ aud: [ISSUER] }), /audience "sluice"/],
  ['is for no audience', ours.token({ aud: undefined }), /audience "sluice"/],
  ['is of another issuer', ours.token({ iss: 'https://elsewhere.example' }), /issuer/],
  ['was signed by another key of the same id', signer('key-1').token(), /signature/],
  ['was signed by an unknown key', signer('key-9').token(), /no key of this cluster/],
  ['has an empty signature', `${head}.${body}.`, /signature/],
  ['says that it needs no signature', `${none}.${body}.`, /algorithm/],
  ['is signed with the public key as a password', `${hs256}.${body}.${forged}`, /algorithm/],
  [
    'has another body than was signed',
    `${head}.${part({ iss: ISSUER, aud: 'sluice', exp: NOW + 60 })}.${signature}`,
    /signature/,
  ],
  ['says another algorithm than its key has', ours.token({}, { alg: 'RS512' }), /algorithm/],
  ['names no key', ours.token({}, { kid: undefined }), /no key of this cluster/],
  ['is of a person', ours.token({ sub: 'alice', 'kubernetes.io': undefined }), /no service account token/],
  [
    'speaks of two accounts',
    ours.token({ sub: 'system:serviceaccount:kube-system:admin' }),
    /no service account token/,
  ],
  ['is no JSON', 'eyJ.eyJ.x', /no key of this cluster/],
  ['is too long', `${head}.${body}.${'x'.repeat(20_000)}`, /too long/],
] as const) {
  test(`verifyToken() refuses a token that ${what}`, () => {
    const verdict = judge(token);
    assert.equal(verdict.kind, 'bad');
    assert.match(verdict.kind === 'bad' ? verdict.problem : '', problem);
  });
}

test('verifyToken() takes a token until the second in which it ends', () => {
  const token = ours.token({ exp: 2_000_000_000, nbf: 1_000_000_000 });
  assert.equal(judge(token, 1_999_999_999).kind, 'good');
  assert.equal(judge(token, 2_000_000_000).kind, 'bad');
});
