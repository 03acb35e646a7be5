/** Signs a request as Standard Webhooks asks (standardwebhooks.com, version 1): over its id, its time and its body. */
import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * The key's bytes: what follows `whsec_` is base64, anything else is taken as it is.
 * @throws Error when nothing follows `whsec_`, or what is no base64: Node would skip it, and sign with what is left
 */
export function signingKey(secret: string): Buffer {
  if (!secret.startsWith(PREFIX)) return Buffer.from(secret);
  const encoded = secret.slice(PREFIX.length);
  if (encoded === '') throw unusable(`nothing follows ${PREFIX}`);
  if (!BASE64.test(encoded)) throw unusable(`what follows ${PREFIX} is not base64`);
  return Buffer.from(encoded, 'base64');
}

function unusable(why: string): Error {
  return new Error(`Cannot use the signing key: ${why}; correct the value of http.hmac.secret`);
}

/**
 * @param id of the message: the same again when it is repeated
 * @param body as it is sent, after compression
 */
export function signatureHeaders(
  key: Buffer,
  id: string,
  body: Buffer,
  nowEpochMs: number = Date.now(),
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(nowEpochMs / 1000));
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${mac}` };
}
