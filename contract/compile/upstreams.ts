/** spec.upstreams -> compiled upstreams. */
import type { ClientCertificate, CompiledUpstream, CredentialSource, UpstreamTimeouts } from '../compiled.ts';
import { REPLAY_ORIGIN } from '../compiled-replay.ts';
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import { type CertificateSecret, certificateRefs, type SecretLookup, secretState } from '../secrets.ts';
import { parseDurationMs } from '../units.ts';
import { credentialFile } from './credential-file.ts';

type Spec = StreamProxy['spec'];
type Upstream = Spec['upstreams'][number];

export function compileUpstreams(spec: Spec, secrets: SecretLookup, findings: readonly Finding[]): CompiledUpstream[] {
  return spec.upstreams.map((upstream) => {
    const message = breakingMessage(upstream, secrets, findings);
    if (message !== undefined) return { kind: 'invalid', name: upstream.name, message };
    // What has no url plays recorded answers: the resource allows nothing else.
    const url = new URL(upstream.url ?? REPLAY_ORIGIN);
    return {
      kind: 'valid',
      name: upstream.name,
      dialect: upstream.dialect,
      origin: url.origin,
      basePath: url.pathname.replace(/\/+$/, ''),
      credentials: compileCredentials(upstream, secrets),
      timeouts: compileTimeouts(upstream.timeouts ?? {}),
      modelMap: (upstream.modelMap ?? []).map(({ from, to }) => ({ from, to })),
      translation: { flavor: 'openai', maxTokens: 8192, onLoss: 'warn', ...upstream.translation },
      ...(upstream.tls?.ca && { caFile: credentialFile(upstream.tls.ca.secret) }),
      ...(upstream.tls?.clientCertificate && {
        clientCertificate: compileCertificate(upstream.tls.clientCertificate.secret),
      }),
      ...(upstream.gateway && { gateway: true }),
      ...(upstream.proxy && { proxyUrl: upstream.proxy.url }),
      ...(upstream.limits && { limits: { ...upstream.limits } }),
      ...(upstream.http2 && { http2: true }),
      ...(upstream.replay && { replay: { path: upstream.replay.path, speed: upstream.replay.speed ?? 1 } }),
    };
  });
}

/**
 * A missing credential breaks the upstream only when no other source is left: sending without a key what shall have one
 * would look like the provider's fault.
 */
function breakingMessage(upstream: Upstream, secrets: SecretLookup, findings: readonly Finding[]): string | undefined {
  const own = findings.filter((f) => f.part.kind === 'upstream' && f.part.name === upstream.name);
  const fatal = own.find((f) => f.reason === CONDITION_REASONS.invalidUrl || f.path.includes('.tls.'));
  if (fatal) return fatal.message;
  const asked = upstream.credentials?.length ?? 0;
  return asked > 0 && compileCredentials(upstream, secrets).length === 0 ? own[0]?.message : undefined;
}

function compileCredentials(upstream: Upstream, secrets: SecretLookup): CredentialSource[] {
  return (upstream.credentials ?? []).flatMap((source): CredentialSource[] => {
    if (source.serviceAccountToken) return [{ kind: 'serviceAccountToken' }];
    if (!source.secret) return [{ kind: 'client' }];
    if (secretState(source.secret, secrets) !== 'found') return [];
    const header = (
      source.secret.header ?? (upstream.dialect === 'anthropic' ? 'x-api-key' : 'authorization')
    ).toLowerCase();
    const scheme = header === 'authorization' ? 'bearer' : 'bare';
    return [{ kind: 'secret', file: credentialFile(source.secret), header, scheme }];
  });
}

function compileCertificate(secret: CertificateSecret): ClientCertificate {
  const [cert, key] = certificateRefs(secret);
  return { certFile: credentialFile(cert), keyFile: credentialFile(key) };
}

function compileTimeouts(timeouts: NonNullable<Upstream['timeouts']>): UpstreamTimeouts {
  return {
    connectMs: parseDurationMs(timeouts.connect ?? '5s') ?? 5_000,
    firstByteMs: parseDurationMs(timeouts.firstByte ?? '120s') ?? 120_000,
    idleMs: parseDurationMs(timeouts.idle ?? '120s') ?? 120_000,
    totalMs: parseDurationMs(timeouts.total ?? '0s') ?? 0,
  };
}
