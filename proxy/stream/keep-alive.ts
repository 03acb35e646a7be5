/**
 * Pings for event streams whose upstream is silent (routes[].keepAlive), so that nobody between us and the client takes the
 * stream for dead. Only between two events, never after the terminal one, and never counted as the upstream's activity.
 */
import type { Dialect } from '#contract/dialect.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import type { Tap } from '../exchange.ts';
import type { MatchedRequest } from '../route/read-request.ts';
import type { ClientAnswer } from './framing.ts';
import { headerValue, isEventStream } from './scan.ts';

/** As Anthropic sends it. */
const PING_EVENT = Buffer.from('event: ping\ndata: {"type": "ping"}\n\n');
/** A comment, which every reader of event streams skips. */
const PING_COMMENT = Buffer.from(': ping\n\n');

export interface KeepAliveOptions {
  readonly afterMs: number;
  /** Of the client. */
  readonly dialect: Dialect;
  readonly client: Pick<ClientAnswer, 'chunked' | 'pendingBytes' | 'write'>;
  readonly tap: Pick<Tap, 'verdict'>;
}

/** @returns undefined where the route asks for no pings, or the answer is no event stream that we can see into */
export function keepAliveFor(
  { incoming, route }: Pick<MatchedRequest, 'incoming' | 'route'>,
  { rawHeaders }: Pick<UpstreamAnswer, 'rawHeaders'>,
  { client, tap }: Pick<KeepAliveOptions, 'client' | 'tap'>,
): KeepAlive | undefined {
  const { keepAliveMs } = route;
  if (keepAliveMs === undefined || !isEventStream(rawHeaders)) return undefined;
  if (headerValue(rawHeaders, 'content-encoding') !== undefined) return undefined;
  return new KeepAlive({ afterMs: keepAliveMs, dialect: incoming.head.dialect, client, tap });
}

export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #ping: Buffer;
  #movedAtMs: () => number = () => 0;
  #pingedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#ping = options.dialect === 'anthropic' ? PING_EVENT : PING_COMMENT;
  }

  /** @param movedAtMs clock time (`performance.now()`) of the upstream's last sign of life */
  start(movedAtMs: () => number): void {
    this.#movedAtMs = movedAtMs;
    // Where the length was announced, or the connection's end is the answer's, nothing can be put in.
    if (this.#options.client.chunked) this.#arm(this.#options.afterMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.ceil(ms));
  }

  /** Looks at the clock when the time is up rather than arming a timer for each chunk. */
  #look(): void {
    const { afterMs, client, tap } = this.#options;
    const leftMs = Math.max(this.#movedAtMs(), this.#pingedAtMs) + afterMs - performance.now();
    if (leftMs > 0) {
      this.#arm(leftMs);
      return;
    }
    const { atBoundary, terminal } = tap.verdict();
    // A client that still has bytes to take is not waiting for a sign of life.
    if (atBoundary && terminal !== 'seen' && client.pendingBytes === 0) {
      client.write(this.#ping);
      this.#pingedAtMs = performance.now();
    }
    this.#arm(afterMs);
  }
}
