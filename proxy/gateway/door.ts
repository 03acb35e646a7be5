/**
 * What makes a process a gateway: it lets in those that the config lists, with the certificate that the config names. A
 * gateway executes no config of a sidecar, which lists nobody, and a sidecar none of a gateway, which is not meant for it.
 */
import { createSecureContext } from 'node:tls';
import type { Problem } from '#contract/finding.ts';
import type { LoadedConfig } from '../config/source.ts';
import { ProxyError } from '../errors.ts';
import type { RawHeaders } from '../listen/raw-headers.ts';
import { type Callers, callersOf, type Identity, identify } from './identify.ts';

/** PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class Door {
  readonly #gateway: { readonly tls: boolean } | undefined;
  #callers: Callers | undefined;
  #certificate: Certificate | undefined;
  #use: (certificate: Certificate) => void = () => {};

  /** @param gateway undefined: a sidecar, which lets everybody in who reaches its loopback */
  constructor(gateway: { readonly tls: boolean } | undefined) {
    this.#gateway = gateway;
  }

  /** @param use told of the certificate in force, now and whenever there is another */
  onCertificate(use: (certificate: Certificate) => void): void {
    this.#use = use;
    if (this.#certificate) use(this.#certificate);
  }

  /** What befalls clients while no config is in force: for our own log. */
  get withoutConfig(): string {
    return this.#gateway?.tls ? 'no connection can be made' : 'requests get 503';
  }

  /** @returns why this process cannot execute the config; empty when it can */
  problems(loaded: LoadedConfig): readonly Problem[] {
    const { gateway } = loaded.config;
    const process = this.#gateway;
    if (!process) {
      if (!gateway) return [];
      return [
        problem('gateway', 'This is the config of a gateway, and here runs a sidecar; inject another StreamProxy'),
      ];
    }
    if (!gateway) return [problem('gateway', 'Here runs a gateway, and the config lets nobody in; set spec.gateway')];
    if (process.tls !== (gateway.tls !== undefined)) {
      return [problem('gateway.tls', 'TLS cannot be switched on or off in a running process; start it anew')];
    }
    return [...certificateProblems(loaded), ...callerProblems(loaded)];
  }

  /** Puts a config in force that has no problems. */
  open(loaded: LoadedConfig): void {
    const { gateway } = loaded.config;
    if (!this.#gateway || !gateway) return;
    this.#callers = callersOf(gateway, loaded.credentials);
    this.#certificate = certificateOf(loaded);
    if (this.#certificate) this.#use(this.#certificate);
  }

  /** @returns who calls; undefined in a sidecar, which asks nobody */
  identify(rawHeaders: RawHeaders): Identity | undefined {
    if (!this.#gateway) return undefined;
    if (this.#callers) return identify(rawHeaders, this.#callers, Date.now() / 1000);
    return { kind: 'refused', error: new ProxyError('unavailable', 'Wait: no valid config has arrived yet') };
  }
}

function certificateOf({ config, credentials }: LoadedConfig): Certificate | undefined {
  const files = config.gateway?.tls;
  const cert = files && credentials.get(files.certFile);
  const key = files && credentials.get(files.keyFile);
  // An empty one would be taken for none, and no handshake would succeed.
  return cert && key ? { cert, key } : undefined;
}

function certificateProblems(loaded: LoadedConfig): Problem[] {
  if (!loaded.config.gateway?.tls) return [];
  const certificate = certificateOf(loaded);
  if (!certificate)
    return [problem('gateway.tls', 'The certificate or its key is missing; put tls.crt and tls.key into the Secret')];
  try {
    createSecureContext({ ...certificate });
    return [];
  } catch {
    // The library's message may quote what it could not read.
    return [
      problem(
        'gateway.tls',
        'The certificate and the key cannot be used together; put a PEM certificate and its own key into the Secret',
      ),
    ];
  }
}

function callerProblems({ config, credentials }: LoadedConfig): Problem[] {
  try {
    if (config.gateway) callersOf(config.gateway, credentials);
    return [];
  } catch {
    return [problem('gateway.tokenKeys', "The cluster's public keys cannot be read; deliver them again")];
  }
}

function problem(path: string, message: string): Problem {
  return { path, message };
}
