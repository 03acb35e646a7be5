/** PEM bundles of authorities: what of them can be trusted. OpenSSL says nothing of what it cannot read, nor where it finds nothing. */
import { X509Certificate } from 'node:crypto';

export interface BundleFacts {
  /** How many certificates begin there. */
  readonly found: number;
  /** How many are trusted: OpenSSL reads up to the first that it cannot read. */
  readonly readable: number;
}

const BEGIN = /^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/;
const BEFORE_EACH = new RegExp(`(?=${BEGIN.source})`, 'm');

export function bundleFacts(pem: string): BundleFacts {
  const certificates = pem
    .replace(/^\uFEFF/, '')
    .split(BEFORE_EACH)
    .filter((part) => BEGIN.test(part));
  const broken = certificates.findIndex((certificate) => !isReadable(certificate));
  return { found: certificates.length, readable: broken === -1 ? certificates.length : broken };
}

function isReadable(certificate: string): boolean {
  try {
    return new X509Certificate(certificate).raw.length > 0;
  } catch {
    return false;
  }
}
