/** Rules about spec.logging: Secrets that are there, urls that parse. */
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import type { SecretLookup } from '../secrets.ts';
import { type TargetSpec, targetSecrets } from '../target-secrets.ts';
import { missingSecret } from './missing-secret.ts';

export function validateLogging(spec: StreamProxy['spec'], secrets: SecretLookup): Finding[] {
  return (spec.logging?.targets ?? []).flatMap((target, index): Finding[] => {
    const path = `spec.logging.targets[${index}]`;
    const part = { kind: 'target', name: target.name } as const;
    const missing = targetSecrets(target).flatMap(([field, ref]) => {
      const finding = missingSecret(`${path}.${field}.secret`, ref, secrets);
      return finding ? [{ ...finding, part }] : [];
    });
    return [...invalidUrls(target, path).map((finding) => ({ ...finding, part })), ...missing];
  });
}

function invalidUrls(target: TargetSpec, path: string): Omit<Finding, 'part'>[] {
  const urls = [
    ['http.url', target.http?.url],
    ['otlp.url', target.otlp?.url],
    ['s3.endpoint', target.s3?.endpoint],
  ] as const;
  return urls.flatMap(([field, url]) => {
    if (url === undefined || URL.canParse(url)) return [];
    return [
      {
        kind: 'value' as const,
        reason: CONDITION_REASONS.invalidUrl,
        path: `${path}.${field}`,
        message: `"${url}" is no valid URL; write scheme, host and port, for example http://collector.default.svc:4318.`,
      },
    ];
  });
}
