/** Rules about spec.upstreams: urls that parse, Secrets that are there. */
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import { certificateRefs, type SecretLookup, type SecretRef } from '../secrets.ts';
import { missingSecret } from './missing-secret.ts';

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
    const certificate = upstream.tls?.clientCertificate?.secret;
    if (certificate) {
      for (const ref of certificateRefs(certificate)) refs.push([`${path}.tls.clientCertificate.secret`, ref]);
    }
    for (const [field, ref] of refs) {
      const finding = ref && missingSecret(field, ref, secrets);
      // A certificate and its key lie in one Secret: when that is missing, once is enough.
      if (finding && findings.at(-1)?.message !== finding.message) findings.push({ ...finding, part });
    }
    return findings;
  });
}
