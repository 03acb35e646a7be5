/** The key of signatures: whole, or none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signingKey } from './http-signature.ts';

for (const [secret, key] of [
  ['whsec_c2VjcmV0LWtleQ==', 'secret-key'],
  ['whsec_c2VjcmV0LWtleQ', 'secret-key'],
  ['whsec_c2VjcmV0LWtleXM=', 'secret-keys'],
  ['whsec_/+8=', Buffer.from([0xff, 0xef]).toString('latin1')],
  ['any text %% at all', 'any text %% at all'],
] as const) {
  test(`signingKey() of "${secret}" is its bytes`, () => {
    assert.equal(signingKey(secret).toString('latin1'), key);
  });
}

for (const [secret, why] of [
  ['whsec_', 'nothing follows whsec_'],
  ['whsec_%%', 'what follows whsec_ is not base64'],
  ['whsec_c2Vj%cmV0', 'what follows whsec_ is not base64'],
  ['whsec_c2VjcmV0LWtleQ=', 'what follows whsec_ is not base64'],
  ['whsec_c2VjcmV0L', 'what follows whsec_ is not base64'],
  ['whsec_c2Vj\ncmV0', 'what follows whsec_ is not base64'],
] as const) {
  test(`signingKey() refuses ${JSON.stringify(secret)} and does not repeat it`, () => {
    const message = `Cannot use the signing key: ${why}; correct the value of http.hmac.secret`;
    assert.throws(() => signingKey(secret), { message });
  });
}
