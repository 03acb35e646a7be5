/** Rules about spec.gateway: Secrets that are there, and tokens that can be verified. */
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding, FindingPart } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import { certificateRefs, type SecretLookup } from '../secrets.ts';
import type { TokenKeys } from '../token-keys.ts';
import { missingSecret } from './missing-secret.ts';

/** @param tokenKeys the cluster's; absent: tokens cannot be verified here */
export function validateGateway(
  { gateway }: StreamProxy['spec'],
  secrets: SecretLookup,
  tokenKeys: TokenKeys | undefined,
): Finding[] {
  if (!gateway) return [];
  const part: FindingPart = { kind: 'listener', name: 'gateway' };
  const tls = gateway.tls ? certificateRefs(gateway.tls.secret) : [];
  const missing = tls.flatMap((ref) => withPart(missingSecret('spec.gateway.tls.secret', ref, secrets), part));
  return [
    // A Secret that is not there lacks both in the same words.
    ...missing.filter(({ message }, index) => missing[index - 1]?.message !== message),
    ...gateway.clients.flatMap(({ name, secret, serviceAccount }, index): Finding[] => {
      const path = `spec.gateway.clients[${index}]`;
      const client: FindingPart = { kind: 'client', name };
      if (secret) return withPart(missingSecret(`${path}.secret`, secret, secrets), client);
      return serviceAccount && !tokenKeys ? [{ ...NO_KEYS, path: `${path}.serviceAccount`, part: client }] : [];
    }),
  ];
}

const NO_KEYS = {
  kind: 'value',
  reason: CONDITION_REASONS.tokenKeysUnavailable,
  message:
    "Tokens of service accounts are verified with the cluster's public keys, which the operator delivers; " +
    'outside of Kubernetes give the client a key of its own with `secret: {name: …, key: …}`.',
} as const satisfies Omit<Finding, 'path' | 'part'>;

function withPart(finding: Omit<Finding, 'part'> | undefined, part: FindingPart): Finding[] {
  return finding ? [{ ...finding, part }] : [];
}
