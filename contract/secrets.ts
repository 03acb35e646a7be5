/** Which Secrets a StreamProxy names, and what is known of them: never their values. */
import type { StreamProxy } from './resources.ts';
import { targetSecrets } from './target-secrets.ts';

export interface SecretRef {
  readonly name: string;
  readonly key: string;
}

/** What compile needs to know of one Secret. `version` changes whenever its content does and says nothing about it. */
export type SecretFacts =
  | { readonly exists: false }
  | { readonly exists: true; readonly version: string; readonly keys: ReadonlySet<string> };

/** Facts by Secret name; a name that is absent is treated as not existing. */
export type SecretLookup = ReadonlyMap<string, SecretFacts>;

export type SecretState = 'found' | 'no-secret' | 'no-key';

/** Looks one reference up. An empty value is no key: callers leave empty keys out of `keys`. */
export function secretState(ref: SecretRef, secrets: SecretLookup): SecretState {
  const facts = secrets.get(ref.name);
  if (!facts?.exists) return 'no-secret';
  return facts.keys.has(ref.key) ? 'found' : 'no-key';
}

/** Every Secret reference of the spec that the sidecar needs, without duplicates, in the order of the spec. */
export function secretRefs(spec: StreamProxy['spec']): SecretRef[] {
  const refs = new Map<string, SecretRef>();
  const add = (ref: SecretRef | undefined): void => {
    if (ref) refs.set(`${ref.name}/${ref.key}`, { name: ref.name, key: ref.key });
  };
  for (const upstream of spec.upstreams) {
    for (const source of upstream.credentials ?? []) add(source.secret);
    add(upstream.tls?.ca?.secret);
    const certificate = upstream.tls?.clientCertificate?.secret;
    if (certificate) certificateRefs(certificate).forEach(add);
  }
  if (spec.gateway?.tls) certificateRefs(spec.gateway.tls.secret).forEach(add);
  for (const client of spec.gateway?.clients ?? []) add(client.secret);
  for (const { toolLoop } of spec.routes) {
    for (const { secret } of [...(toolLoop?.mcpServers ?? []), ...(toolLoop?.http ?? [])]) add(secret);
  }
  for (const target of spec.logging?.targets ?? []) for (const [, ref] of targetSecrets(target)) add(ref);
  return [...refs.values()];
}

/** A Secret that holds a certificate and its key, as those of the type kubernetes.io/tls do. */
export interface CertificateSecret {
  readonly name: string;
  readonly certKey?: string;
  readonly keyKey?: string;
}

/** Where the certificate is, and where its key. */
export function certificateRefs({ name, certKey, keyKey }: CertificateSecret): [cert: SecretRef, key: SecretRef] {
  return [
    { name, key: certKey ?? 'tls.crt' },
    { name, key: keyKey ?? 'tls.key' },
  ];
}

/** Names of the Secrets that the spec names, sorted. */
export function secretNames(spec: StreamProxy['spec']): string[] {
  return [...new Set(secretRefs(spec).map((ref) => ref.name))].sort();
}
