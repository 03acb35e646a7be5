/** Credential files -> what targets need of them: headers, trust, plain values. Values never reach a message. */
import type { HeaderCredential, NetworkTarget } from '#contract/compiled.ts';
import { bundleFacts } from '../../authorities.ts';

/** File name beside config.json → content. */
export type Credentials = ReadonlyMap<string, string>;

/** @throws Error when the file was not delivered */
export function credentialValue(file: string, credentials: Credentials): string {
  const value = credentials.get(file);
  if (value === undefined || value === '') {
    throw new Error('Cannot use the target: a credential that it names was not delivered; check its Secrets');
  }
  return value;
}

/**
 * The PEM bundle of `tls.ca`, as an option.
 * @throws Error when it was not delivered, or holds what is no certificate: nobody would be told what is not trusted
 */
export function trust({ kind, caFile }: NetworkTarget, credentials: Credentials): { readonly ca?: string } {
  if (caFile === undefined) return {};
  const ca = credentialValue(caFile, credentials);
  const { found, readable } = bundleFacts(ca);
  if (found === 0) {
    throw new Error(
      `Cannot use ${kind}.tls.ca: the Secret's value holds no PEM certificate (-----BEGIN CERTIFICATE-----); put the authority's there`,
    );
  }
  if (readable < found) {
    throw new Error(
      `Cannot use ${kind}.tls.ca: certificate ${readable + 1} of ${found} in the Secret's value cannot be read; put it there whole`,
    );
  }
  return { ca };
}

/**
 * The header that carries the credential, as an object of one member, or none.
 * @throws Error when no header can hold the value
 */
export function credentialHeader(
  credential: HeaderCredential | undefined,
  credentials: Credentials,
): Readonly<Record<string, string>> {
  if (credential === undefined) return {};
  const value = credentialValue(credential.file, credentials);
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)) {
    throw new Error('Cannot use the target: its credential holds bytes that no header may carry; check the Secret');
  }
  const bare = credential.header === 'authorization' && !/^[A-Za-z0-9-]+ /.test(value);
  return { [credential.header]: bare ? `Bearer ${value}` : value };
}
