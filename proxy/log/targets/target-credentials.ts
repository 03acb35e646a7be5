/** Credential files -> what targets need of them: headers, trust, plain values. Values never reach a message. */
import type { HeaderCredential, NetworkTarget } from '#contract/compiled.ts';

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

/** The PEM bundle of `tls.ca`, as an option. */
export function trust({ caFile }: NetworkTarget, credentials: Credentials): { readonly ca?: string } {
  return caFile === undefined ? {} : { ca: credentialValue(caFile, credentials) };
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
