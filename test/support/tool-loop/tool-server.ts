/** Tools behind plain HTTP, for tests: what each answers is a function; what was called is kept. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedCall {
  readonly name: string;
  readonly args: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Resolves when the connection of the call is over. */
  readonly closed: Promise<void>;
}

type Handler = (args: Record<string, unknown>, response: ServerResponse) => void | Promise<void>;

export class ToolServer {
  readonly calls: ReceivedCall[] = [];
  /** By name; a tool that has none echoes its arguments. */
  readonly handlers = new Map<string, Handler>();
  /** Most calls that were open at the same time. */
  mostAtOnce = 0;
  #open = 0;
  #wake: (() => void)[] = [];
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  static async start(): Promise<ToolServer> {
    const server = new ToolServer();
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/call`;
  }

  /** The call of that number, past or to come. */
  async call(index: number): Promise<ReceivedCall> {
    for (;;) {
      const call = this.calls[index];
      if (call) return call;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** Forgets calls and handlers. */
  reset(): void {
    this.calls.length = 0;
    this.handlers.clear();
    this.mostAtOnce = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { name, arguments: args } = JSON.parse(Buffer.concat(parts).toString('utf8')) as {
      name: string;
      arguments: Record<string, unknown>;
    };
    const closed = once(response, 'close').then(() => {
      this.#open -= 1;
    });
    this.#open += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#open);
    this.calls.push({ name, args, headers: request.headers, closed });
    for (const wake of this.#wake.splice(0)) wake();
    const handler = this.handlers.get(name);
    if (handler) await handler(args, response);
    else response.end(`${name} got ${JSON.stringify(args)}`);
  }
}
