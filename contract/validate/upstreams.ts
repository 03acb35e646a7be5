/** Rules about spec.upstreams: urls that parse, Secrets that are there. */
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import { type SecretLookup, type SecretRef, secretState } from '../secrets.ts';

export function validateUpstreams(spec: StreamProxy['spec'], secrets: SecretLookup): Finding[] {
  return spec.upstreams.flatMap((upstream, index) => {
    const path = `spec.upstreams[${index}]`;
    const part = { kind: 'upstream', name: upstream.name } as const;
    const findings: Finding[] = [];
    for (const [field, url] of [
      ['url', upstream.url],
      ['proxy.url', upstream.proxy?.url],
    ] as const) {
      if (url === undefined || URL.canParse(url)) continue;
      findings.push({
        kind: 'value',
        reason: CONDITION_REASONS.invalidUrl,
        path: `${path}.${field}`,
        message: `"${url}" is no valid URL; write scheme, host and port, for example https://api.anthropic.com.`,
        part,
      });
    }
    const refs: [string, SecretRef | undefined][] = (upstream.credentials ?? []).map((source, i) => [
      `${path}.credentials[${i}].secret`,
      source.secret,
    ]);
    refs.push([`${path}.tls.ca.secret`, upstream.tls?.ca?.secret]);
    for (const [field, ref] of refs) {
      const finding = ref && missingSecret(field, ref, secrets);
      if (finding) findings.push({ ...finding, part });
    }
    return findings;
  });
}

function missingSecret(path: string, ref: SecretRef, secrets: SecretLookup): Omit<Finding, 'part'> | undefined {
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
