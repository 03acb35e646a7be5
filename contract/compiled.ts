/**
 * CompiledConfig: what the operator delivers to sidecars (or file mode makes from a YAML file) and the proxy executes.
 * Everything is resolved: defaults filled in, durations in milliseconds, sizes in bytes, references checked. A part that
 * cannot work is here all the same, as `kind: 'invalid'` with its message, so that one bad part never takes down the others.
 */

import type { CompiledGateway } from './compiled-gateway.ts';
import type { AgentTag, ClientCertificate, CompiledListen, UpstreamLimits } from './compiled-listen.ts';
import type { CompiledReplay } from './compiled-replay.ts';
import type { FileTarget, SpooledTarget, StdoutTarget } from './compiled-targets.ts';
import type { CompiledPacing, CompiledToolLoop } from './compiled-tool-loop.ts';
import type { Dialect } from './dialect.ts';

export type * from './compiled-gateway.ts';
export type * from './compiled-listen.ts';
export type * from './compiled-targets.ts';

import type { FlavorName } from './flavors.ts';

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
  readonly listen: CompiledListen;
  readonly metrics: { readonly port: number };
  /** Absent: agents are named by their header alone. */
  readonly agentTag?: AgentTag;
  readonly upstreams: readonly CompiledUpstream[];
  readonly routes: readonly CompiledRoute[];
  readonly logging: CompiledLogging;
  /** Present: this is executed by a gateway, and by no sidecar. */
  readonly gateway?: CompiledGateway;
}

export type CompiledUpstream = ValidUpstream | InvalidPart;
export type CompiledRoute = ValidRoute | InvalidRoute;
export type CompiledTarget = StdoutTarget | FileTarget | SpooledTarget | InvalidPart;

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
  /** What this upstream calls the models that clients ask for; the first glob that matches wins. */
  readonly modelMap: readonly { readonly from: string; readonly to: string }[];
  /** For clients of the other dialect. */
  readonly translation: UpstreamTranslation;
  /** File, beside config.json, with the PEM bundle to trust; absent: the public authorities. */
  readonly caFile?: string;
  /** Shown to an upstream that asks for one. */
  readonly clientCertificate?: ClientCertificate;
  /** The upstream is a gateway of ours: it is told the exchange's id, and counts the tokens. */
  readonly gateway?: true;
  /** Egress proxy. */
  readonly proxyUrl?: string;
  readonly limits?: UpstreamLimits;
  /** HTTP/2 where the upstream offers it. */
  readonly http2?: true;
  /** Present: nobody is asked, and recorded answers are played; the origin is no real one. */
  readonly replay?: CompiledReplay;
}

export interface UpstreamTranslation {
  readonly flavor: FlavorName;
  /** Sent where the upstream requires it and the client sent none. */
  readonly maxTokens: number;
  readonly onLoss: 'warn' | 'refuse';
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
  /** The token of the pod's service account, for gateways. */
  | { readonly kind: 'serviceAccountToken' }
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
  /** Globs of the tiers that the route names, of which one must match as well; absent: any model. */
  readonly tierModels?: readonly string[];
  readonly agents: readonly string[];
  /** Lower-case names; without values the header must only be there. */
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
  /** Replaces the part of the path that the route's pattern names. */
  readonly rewritePrefix?: string;
  /** Silence of an event stream after which the client gets a ping; absent: never. */
  readonly keepAliveMs?: number;
  /** Absent: tools are the client's business alone. */
  readonly toolLoop?: CompiledToolLoop;
  readonly pacing?: CompiledPacing;
}

/** It still matches and answers 503 that names it: a request never falls through to another provider. */
export interface InvalidRoute extends InvalidPart {
  readonly match: CompiledMatch;
}

export interface CompiledLogging {
  readonly maxBodyBytes: number;
  /** Whether records of streams also hold the folded answer. */
  readonly assemble: boolean;
  /** How often a running stream is recorded; absent: only when it is over. */
  readonly partialsEveryMs?: number;
  readonly redact: readonly Redaction[];
  readonly spoolBytes: number;
  /** How long a record waits for a target at most; more than 0. */
  readonly spoolMaxAgeMs: number;
  readonly targets: readonly CompiledTarget[];
  /** Absent: no record is kept here. */
  readonly audit?: CompiledAudit;
}

/** Bounds of the records that are kept for search. */
export interface CompiledAudit {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

export type Redaction =
  | { readonly kind: 'header'; readonly header: string }
  | {
      readonly kind: 'jsonPath';
      /** Names and indices; the name `*` stands for every element. */
      readonly path: readonly (string | number)[];
    }
  | { readonly kind: 'pattern'; readonly pattern: string };
