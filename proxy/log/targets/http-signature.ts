/** Signs a request as Standard Webhooks asks (standardwebhooks.com, version 1): over its id, its time and its body. */
import { createHmac } from 'node:crypto';

/** The key's bytes: what follows `whsec_` is base64, anything else is taken as it is. */
export function signingKey(secret: string): Buffer {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret);
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
