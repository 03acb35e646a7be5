/** spec.logging.targets -> compiled targets. One with a finding becomes `invalid`, and says whether its records wait meanwhile. */
import type { CompiledTarget } from '../compiled.ts';
import type { HeaderCredential } from '../compiled-targets.ts';
import type { Finding } from '../finding.ts';
import type { TargetSpec } from '../target-secrets.ts';
import { parseBytes, parseDurationMs } from '../units.ts';
import { credentialFile } from './credential-file.ts';

const MIB = 1024 ** 2;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_UPLOAD_TIMEOUT_MS = 60_000;
const OTLP_LOGS_PATH = '/v1/logs';

export function compileTarget(target: TargetSpec, findings: readonly Finding[]): CompiledTarget {
  const { name } = target;
  const broken = findings.find((f) => f.part.kind === 'target' && f.part.name === name);
  if (broken) {
    const invalid = { kind: 'invalid', name, message: `${broken.path}: ${broken.message}` } as const;
    return target.stdout || target.file ? invalid : { ...invalid, spooled: true };
  }
  if (target.stdout) return { kind: 'stdout', name };
  if (target.file) {
    const { path, maxBytes } = target.file;
    return { kind: 'file', name, path, maxBytes: parseBytes(maxBytes ?? '64Mi') ?? 64 * MIB };
  }
  if (target.http) return compileHttp(name, target.http);
  if (target.postgres) return compilePostgres(name, target.postgres);
  if (target.otlp) return compileOtlp(name, target.otlp);
  if (target.kafka) return compileKafka(name, target.kafka);
  if (target.s3) return compileS3(name, target.s3);
  return { kind: 'invalid', name, message: 'This version serves no target of this kind.' };
}

function compileHttp(name: string, http: NonNullable<TargetSpec['http']>): CompiledTarget {
  return {
    kind: 'http',
    name,
    url: http.url,
    format: http.format ?? 'ndjson',
    maxRecords: http.maxRecords ?? 100,
    maxBytes: parseBytes(http.maxBytes ?? '1Mi') ?? MIB,
    gzip: http.gzip ?? false,
    ...credential(http.credential),
    ...(http.hmac && { hmacFile: credentialFile(http.hmac.secret) }),
    ...networkPart(http),
  };
}

function compilePostgres(name: string, postgres: NonNullable<TargetSpec['postgres']>): CompiledTarget {
  return {
    kind: 'postgres',
    name,
    dsnFile: credentialFile(postgres.dsn.secret),
    table: postgres.table ?? 'sluice_records',
    ...networkPart(postgres),
  };
}

function compileOtlp(name: string, otlp: NonNullable<TargetSpec['otlp']>): CompiledTarget {
  const url = new URL(otlp.url);
  if (url.pathname === '/') url.pathname = OTLP_LOGS_PATH;
  return {
    kind: 'otlp',
    name,
    url: url.href,
    gzip: otlp.gzip ?? false,
    ...credential(otlp.credential),
    ...networkPart(otlp),
  };
}

function compileKafka(name: string, kafka: NonNullable<TargetSpec['kafka']>): CompiledTarget {
  const { brokers, topic, sasl, tls } = kafka;
  return {
    kind: 'kafka',
    name,
    brokers,
    topic,
    tls: tls !== undefined,
    ...(sasl && {
      sasl: {
        mechanism: sasl.mechanism,
        usernameFile: credentialFile(sasl.username.secret),
        passwordFile: credentialFile(sasl.password.secret),
      },
    }),
    ...networkPart(kafka),
  };
}

function compileS3(name: string, s3: NonNullable<TargetSpec['s3']>): CompiledTarget {
  const { bucket, prefix = '', region = 'us-east-1', pathStyle = false, credentials } = s3;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    kind: 's3',
    name,
    endpoint: new URL(s3.endpoint ?? `https://s3.${region}.amazonaws.com`).origin,
    bucket,
    prefix,
    region,
    pathStyle,
    accessKeyIdFile: credentialFile(accessKeyId.secret),
    secretAccessKeyFile: credentialFile(secretAccessKey.secret),
    ...(sessionToken && { sessionTokenFile: credentialFile(sessionToken.secret) }),
    ...networkPart(s3, DEFAULT_UPLOAD_TIMEOUT_MS),
  };
}

interface NetworkSpec {
  readonly timeout?: string;
  readonly tls?: NonNullable<TargetSpec['kafka']>['tls'];
}

function networkPart({ timeout, tls }: NetworkSpec, defaultMs: number = DEFAULT_TIMEOUT_MS) {
  return {
    timeoutMs: (timeout === undefined ? undefined : parseDurationMs(timeout)) ?? defaultMs,
    ...(tls?.ca && { caFile: credentialFile(tls.ca.secret) }),
  };
}

function credential(spec: NonNullable<TargetSpec['http']>['credential']): { credential?: HeaderCredential } {
  if (!spec) return {};
  const header = (spec.secret.header ?? 'authorization').toLowerCase();
  return { credential: { file: credentialFile(spec.secret), header } };
}
