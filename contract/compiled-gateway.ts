/** The compiled form of spec.gateway: what makes a proxy serve others than its own pod. */
import type { ClientCertificate } from './compiled-listen.ts';
import type { TokenKeys } from './token-keys.ts';

export interface CompiledGateway {
  /** Files beside config.json with the listener's certificate and key; absent: plain HTTP, as the resource says. */
  readonly tls?: ClientCertificate;
  /** Who may use it; at least one. */
  readonly clients: readonly GatewayClient[];
  /** What verifies service accounts' tokens; absent: none can be verified. */
  readonly tokenKeys?: TokenKeys;
}

export type GatewayClient =
  | {
      readonly kind: 'serviceAccount';
      readonly name: string;
      readonly namespace: string;
      /** Absent: every account of the namespace. */
      readonly account?: string;
    }
  | {
      readonly kind: 'secret';
      readonly name: string;
      /** File beside config.json that holds the client's key. */
      readonly file: string;
    }
  /** Its key is not there: it is let in by nothing, the others are. */
  | { readonly kind: 'invalid'; readonly name: string; readonly message: string };
