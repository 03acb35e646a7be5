/**
 * What the listener's own rules make of a request before it is routed: admission, CORS, explanation, debug lines; and its
 * place at an upstream. What is counted here goes on across config changes.
 */
import type { CompiledListen, ValidUpstream } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import type { Logger } from '../log/logger.ts';
import { DebugLog } from '../observe/debug.ts';
import type { DebugLines } from '../observe/debug-lines.ts';
import type { Metrics } from '../observe/meters.ts';
import { Load, type Place } from '../upstream/load.ts';
import { Admission } from './admission.ts';
import { type Cors, corsOf, withoutCors } from './cors.ts';
import { explain, type Trace } from './explain.ts';
import type { IncomingRequest } from './incoming.ts';
import type { RawHeaders } from './raw-headers.ts';

export interface ReceptionOptions {
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'limited'>;
}

export class Reception {
  readonly #admission = new Admission();
  readonly #load = new Load();
  readonly #debug: DebugLog;
  readonly #metrics: ReceptionOptions['metrics'];

  constructor({ logger, metrics }: ReceptionOptions) {
    this.#debug = new DebugLog(logger);
    this.#metrics = metrics;
  }

  receive(incoming: IncomingRequest, listen: CompiledListen): Visit {
    return new Visit(incoming, listen, {
      debug: this.#debug.open(incoming, listen.debug === 'never'),
      enter: () => this.#admission.enter(listen.maxInFlight),
      place: this.#load.place(),
    });
  }

  /** Exchanges that are being served. */
  get inFlight(): number {
    return this.#admission.inFlight;
  }

  /** Whether an upstream has as many exchanges in flight as it may have. */
  readonly atLimit = (upstream: ValidUpstream): boolean => this.#load.atLimit(upstream);

  /** Counts an exchange that failed because a limit was met. */
  failed(error: unknown): void {
    if (error instanceof ProxyError && error.kind === 'at_limit') this.#metrics.limited(error.facts.upstream);
  }
}

interface VisitParts {
  readonly debug: DebugLines | undefined;
  /** @throws ProxyError at_limit */
  readonly enter: () => () => void;
  readonly place: Place;
}

/** One exchange's stay. */
export class Visit {
  /** Absent unless the caller asked for lines about this exchange. */
  readonly debug: DebugLines | undefined;
  /** At the upstream that is being tried. */
  readonly place: Place;
  readonly #incoming: IncomingRequest;
  readonly #listen: CompiledListen;
  readonly #cors: Cors | undefined;
  readonly #enter: VisitParts['enter'];
  #exit: (() => void) | undefined;

  constructor(incoming: IncomingRequest, listen: CompiledListen, { debug, enter, place }: VisitParts) {
    this.#incoming = incoming;
    this.#listen = listen;
    this.#cors = corsOf(incoming, listen.corsOrigins);
    this.#enter = enter;
    this.debug = debug;
    this.place = place;
  }

  /** @throws ProxyError at_limit */
  enter(): void {
    this.#exit = this.#enter();
  }

  /** Headers of the answer when the request is a preflight of CORS, which no upstream sees. */
  get preflight(): readonly string[] | undefined {
    return this.#cors?.preflight;
  }

  /** Headers of ours for whatever is answered. */
  added(trace: Trace): string[] {
    return [...(this.#cors?.added ?? []), ...explain(this.#incoming, trace, this.#listen)];
  }

  /** The upstream's headers, less what we say in its place. */
  cleaned(rawHeaders: RawHeaders): readonly string[] {
    return this.#cors ? withoutCors(rawHeaders) : rawHeaders;
  }

  leave(): void {
    this.place.leave();
    this.#exit?.();
    this.#exit = undefined;
  }
}
