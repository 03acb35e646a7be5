/**
 * CompiledConfig: what the operator delivers to sidecars (or file mode makes from a YAML file) and the proxy executes.
 * Everything is resolved: defaults filled in, durations in milliseconds, sizes in bytes, references checked. A part that
 * cannot work is here all the same, as `kind: 'invalid'` with its message, so that one bad part never takes down the others.
 */
import type { Dialect } from './dialect.ts';

/** Raised when an older proxy could not execute a newer config; a proxy refuses versions that it does not know. */
export const COMPILED_VERSION = 1;

/** Stable hash of a compiled config, credentials' versions included. */
export type Revision = string;

export interface CompiledConfig {
  readonly version: typeof COMPILED_VERSION;
  readonly name: string;
  readonly namespace: string;
  /** `metadata.generation` of the resource; 0 in file mode. */
  readonly generation: number;
  readonly revision: Revision;
  readonly listen: { readonly port: number };
  readonly metrics: { readonly port: number };
  readonly upstreams: readonly CompiledUpstream[];
  readonly routes: readonly CompiledRoute[];
  readonly logging: CompiledLogging;
}

export type CompiledUpstream = ValidUpstream | InvalidPart;
export type CompiledRoute = ValidRoute | InvalidRoute;
export type CompiledTarget = StdoutTarget | FileTarget | InvalidPart;

/** A part that cannot work, with a full sentence that says why and what to do. */
export interface InvalidPart {
  readonly kind: 'invalid';
  readonly name: string;
  readonly message: string;
}

export interface ValidUpstream {
  readonly kind: 'valid';
  readonly name: string;
  readonly dialect: Dialect;
  /** Scheme, host and port, no trailing slash. */
  readonly origin: string;
  /** The url's path without a trailing slash; empty when there is none. */
  readonly basePath: string;
  /** In order; the first that is there is used. Empty: none is sent and the caller's is removed. */
  readonly credentials: readonly CredentialSource[];
  readonly timeouts: UpstreamTimeouts;
  /** File, beside config.json, with the PEM bundle to trust; absent: the public authorities. */
  readonly caFile?: string;
  /** Egress proxy. */
  readonly proxyUrl?: string;
}

/** Four limits in milliseconds; 0 = none. */
export interface UpstreamTimeouts {
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
}

export type CredentialSource =
  | { readonly kind: 'client' }
  | {
      readonly kind: 'secret';
      /** File beside config.json that holds the bare credential. */
      readonly file: string;
      /** Lower-case header name. */
      readonly header: string;
      readonly scheme: 'bearer' | 'bare';
    };

export interface CompiledMatch {
  readonly paths: readonly PathPattern[];
  /** Globs: * stands for any characters. Empty: any model. */
  readonly models: readonly string[];
  readonly agents: readonly string[];
  /** Lower-case names. */
  readonly headers: readonly { readonly name: string; readonly values: readonly string[] }[];
}

export interface PathPattern {
  readonly kind: 'exact' | 'prefix';
  readonly path: string;
}

export interface ValidRoute {
  readonly kind: 'valid';
  readonly name: string;
  readonly match: CompiledMatch;
  /** The first choice; at least one weight is above 0. */
  readonly split: readonly { readonly upstream: string; readonly weight: number; readonly model?: string }[];
  /** Lower-case header whose value keeps requests on one upstream of the split. */
  readonly stickyHeader?: string;
  readonly fallback: readonly { readonly upstream: string; readonly model?: string }[];
  readonly retry: { readonly attemptsPerUpstream: number; readonly withinMs: number };
}

/** It still matches and answers 503 that names it: a request never falls through to another provider. */
export interface InvalidRoute extends InvalidPart {
  readonly match: CompiledMatch;
}

export interface CompiledLogging {
  readonly maxBodyBytes: number;
  readonly redact: readonly Redaction[];
  readonly spoolBytes: number;
  readonly targets: readonly CompiledTarget[];
}

export type Redaction =
  | { readonly kind: 'header'; readonly header: string }
  | {
      readonly kind: 'jsonPath';
      /** Names and indices; the name `*` stands for every element. */
      readonly path: readonly (string | number)[];
    }
  | { readonly kind: 'pattern'; readonly pattern: string };

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
