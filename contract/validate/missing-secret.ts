/** What to say of a Secret reference that leads nowhere. */
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import { type SecretLookup, type SecretRef, secretState } from '../secrets.ts';

/** @param path of the field, as users write it */
export function missingSecret(path: string, ref: SecretRef, secrets: SecretLookup): Omit<Finding, 'part'> | undefined {
  switch (secretState(ref, secrets)) {
    case 'found':
      return undefined;
    case 'no-secret':
      return {
        kind: 'reference',
        reason: CONDITION_REASONS.secretNotFound,
        path,
        message: `Secret "${ref.name}" does not exist in this namespace; create it, or name another one.`,
      };
    case 'no-key':
      return {
        kind: 'reference',
        reason: CONDITION_REASONS.secretKeyNotFound,
        path,
        message: `Secret "${ref.name}" has no value under the key "${ref.key}"; add it, or name another key.`,
      };
  }
}
