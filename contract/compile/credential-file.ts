/** Name of the file beside config.json that holds one credential. */
import { createHash } from 'node:crypto';
import type { SecretRef } from '../secrets.ts';

/** Hashed, as a Secret's name and key together may exceed the 253 characters that a key of the generated Secret may have. */
export function credentialFile(ref: SecretRef): string {
  return `credential-${createHash('sha256').update(`${ref.name}/${ref.key}`).digest('hex').slice(0, 24)}`;
}
