/** A key and a certificate for 127.0.0.1 that nobody else knows: for servers of one test. */
import { execFileSync } from 'node:child_process';

export interface SelfSigned {
  readonly key: string;
  readonly cert: string;
}

export function selfSigned(): SelfSigned {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const args = ['req', '-x509', ...curve, '-nodes', '-keyout', '-', '-out', '-', ...name];
  const pem = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const start = pem.indexOf('-----BEGIN CERTIFICATE');
  return { key: pem.slice(0, start), cert: pem.slice(start) };
}
