/** Client gone → AbortSignal with that reason; also the register of what is in flight, which a stop waits for and can end. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Interruption } from '../errors.ts';

export class Exchanges {
  readonly #inFlight = new Map<ServerResponse, AbortController>();
  #idle: (() => void) | undefined;

  get count(): number {
    return this.#inFlight.size;
  }

  /** @returns the exchange's signal, which aborts as soon as its client has left */
  begin(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    this.#inFlight.set(response, controller);
    // `close` is the one event that comes for every way of leaving, before headers and mid-stream alike.
    response.on('close', () => {
      if (!response.writableFinished) controller.abort(new Interruption('client_gone'));
    });
    return controller.signal;
  }

  /**
   * The HTTP parser gave up on a connection. A request whose body it was reading ends with `error`; an answer that is under
   * way for an earlier one goes on, and its connection ends with it.
   * @returns whether anything was in flight there
   */
  refuse(socket: Duplex, error: Error): boolean {
    let found = false;
    for (const [response, controller] of this.#inFlight) {
      const { req } = response;
      if (req.socket !== socket) continue;
      found = true;
      if (req.complete) response.once('finish', () => req.socket.destroySoon());
      else controller.abort(error);
    }
    return found;
  }

  end(response: ServerResponse): void {
    this.#inFlight.delete(response);
    if (this.#inFlight.size === 0) this.#idle?.();
  }

  /** Resolves when nothing is in flight, at once if so now. */
  idle(): Promise<void> {
    if (this.#inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Ends whatever is still in flight. */
  interrupt(): void {
    for (const controller of this.#inFlight.values()) controller.abort(new Interruption('shutdown'));
  }
}
