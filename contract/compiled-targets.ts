/** Log targets as compiled: everything resolved, Secrets as names of files beside config.json. */

export interface StdoutTarget {
  readonly kind: 'stdout';
  readonly name: string;
}

export interface FileTarget {
  readonly kind: 'file';
  readonly name: string;
  /** Relative, below the state directory. */
  readonly path: string;
  readonly maxBytes: number;
}

/** Targets past this machine: each takes its records from the spool. */
export type NetworkTarget = HttpTarget | PostgresTarget | OtlpTarget | KafkaTarget | S3Target;

/** A network target that cannot work as it is declared: its records wait in the spool until it can. */
export interface HeldTarget {
  readonly kind: 'invalid';
  readonly name: string;
  /** Why, and the way out. */
  readonly message: string;
  readonly spooled: true;
}

export type SpooledTarget = NetworkTarget | HeldTarget;

/** A credential that a header carries. */
export interface HeaderCredential {
  readonly file: string;
  /** Lower-case. */
  readonly header: string;
}

interface NetworkPart {
  readonly name: string;
  /** Longest wait for one request, statement or acknowledgement; more than 0. */
  readonly timeoutMs: number;
  /** File with the PEM bundle to trust instead of the public authorities. */
  readonly caFile?: string;
}

export interface HttpTarget extends NetworkPart {
  readonly kind: 'http';
  readonly url: string;
  readonly format: 'ndjson' | 'json';
  /** Most of a request; a single longer record is sent on its own. */
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly gzip: boolean;
  readonly credential?: HeaderCredential;
  /** File with the signing key. */
  readonly hmacFile?: string;
}

export interface PostgresTarget extends NetworkPart {
  readonly kind: 'postgres';
  /** File with the connection string. */
  readonly dsnFile: string;
  readonly table: string;
}

export interface OtlpTarget extends NetworkPart {
  readonly kind: 'otlp';
  /** With its path. */
  readonly url: string;
  readonly gzip: boolean;
  readonly credential?: HeaderCredential;
}

export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

export interface KafkaTarget extends NetworkPart {
  readonly kind: 'kafka';
  /** As host:port. */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly tls: boolean;
  readonly sasl?: {
    readonly mechanism: (typeof SASL_MECHANISMS)[number];
    readonly usernameFile: string;
    readonly passwordFile: string;
  };
}

export interface S3Target extends NetworkPart {
  readonly kind: 's3';
  /** Scheme, host and port, no trailing slash. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly region: string;
  readonly pathStyle: boolean;
  readonly accessKeyIdFile: string;
  readonly secretAccessKeyFile: string;
  readonly sessionTokenFile?: string;
}

/** Every file beside config.json that a target names. */
export function targetFiles(target: SpooledTarget): string[] {
  if (target.kind === 'invalid') return [];
  const files = [target.caFile];
  switch (target.kind) {
    case 'http':
      files.push(target.credential?.file, target.hmacFile);
      break;
    case 'postgres':
      files.push(target.dsnFile);
      break;
    case 'otlp':
      files.push(target.credential?.file);
      break;
    case 'kafka':
      files.push(target.sasl?.usernameFile, target.sasl?.passwordFile);
      break;
    case 's3':
      files.push(target.accessKeyIdFile, target.secretAccessKeyFile, target.sessionTokenFile);
      break;
  }
  return files.filter((file) => file !== undefined);
}

/** Whether a target lies past this machine. */
export function isNetworkTarget<T extends { readonly kind: string }>(target: T): target is Extract<T, NetworkTarget> {
  return ['http', 'postgres', 'otlp', 'kafka', 's3'].includes(target.kind);
}

/** Whether records of a target wait in the spool: of those past this machine, whether they can work or not. */
export function isSpooled<T extends { readonly kind: string }>(target: T): target is Extract<T, SpooledTarget> {
  return isNetworkTarget(target) || 'spooled' in target;
}
