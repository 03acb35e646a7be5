/** A real MCP server over streamable HTTP, with tools that answer, fail, hang and draw. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createMcpHandler,
  fromJsonSchema,
  McpServer,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';

export class McpTestServer {
  /** Tools that are left out of the list. */
  readonly hidden = new Set<string>();
  /** How often the list was asked for. */
  lists = 0;
  readonly #key: string;
  /** Speaks the revisions that have sessions, and forgets them with each restart. */
  readonly #hasSessions: boolean;
  #http: Server | undefined;
  #port = 0;
  #wait = (): Promise<void> => Promise.resolve();

  private constructor(key: string, hasSessions: boolean) {
    this.#key = key;
    this.#hasSessions = hasSessions;
  }

  static async start(key: string, hasSessions = false): Promise<McpTestServer> {
    const server = new McpTestServer(key, hasSessions);
    await server.#listen();
    return server;
  }

  /** The next call of the tool `wait` waits until it is released. */
  hold(): { readonly called: Promise<void>; release(): void } {
    const called = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#wait = () => {
      called.resolve();
      return released.promise;
    };
    return { called: called.promise, release: () => released.resolve() };
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`;
  }

  /** The same address, nothing remembered. */
  async restart(): Promise<void> {
    await this.close();
    await this.#listen();
  }

  async close(): Promise<void> {
    const http = this.#http;
    this.#http = undefined;
    if (!http) return;
    http.closeAllConnections();
    http.close();
    await once(http, 'close');
  }

  async #listen(): Promise<void> {
    const handle = this.#hasSessions ? this.#sessions() : createMcpHandler(() => this.#tools()).fetch;
    this.#http = createServer((request, response) => void this.#serve(request, response, handle));
    this.#http.listen(this.#port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.#port = (this.#http.address() as AddressInfo).port;
  }

  #sessions(): (request: Request) => Promise<Response> {
    const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
    return async (request) => {
      const id = request.headers.get('mcp-session-id');
      const known = id === null ? undefined : sessions.get(id);
      if (known) return known.handleRequest(request);
      if (id !== null) return Response.json({ error: 'Session not found' }, { status: 404 });
      const transport = new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (session) => {
          sessions.set(session, transport);
        },
      });
      await this.#tools().connect(transport);
      return transport.handleRequest(request);
    };
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    handle: (request: Request) => Promise<Response>,
  ): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    if (request.headers.authorization !== `Bearer ${this.#key}`) {
      response.writeHead(401).end();
      return;
    }
    if (body.includes('"tools/list"')) this.lists += 1;
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const { method = 'GET' } = request;
    const asked = new Request(`http://127.0.0.1:${this.#port}${request.url ?? ''}`, {
      method,
      headers,
      signal: gone.signal,
      ...(body.length > 0 && { body }),
    });
    const answer = await handle(asked);
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    try {
      for await (const part of answer.body ?? []) response.write(part);
    } catch {
      // The client left.
    }
    response.end();
  }

  #tools(): McpServer {
    const server = new McpServer({ name: 'lab', version: '1' });
    const text = (said: string): { content: { type: 'text'; text: string }[] } => ({
      content: [{ type: 'text', text: said }],
    });
    const number = { type: 'number' as const };
    const numbers = fromJsonSchema<{ a: number; b: number }>({
      type: 'object',
      properties: { a: number, b: number },
      required: ['a', 'b'],
    });
    const add = (name: string, register: () => void): void => {
      if (!this.hidden.has(name)) register();
    };
    server.registerTool('add', { description: 'Adds', inputSchema: numbers }, ({ a, b }) => text(String(a + b)));
    add('fail', () =>
      server.registerTool('fail', { description: 'Fails' }, () => ({ ...text('It failed'), isError: true })),
    );
    add('hang', () => server.registerTool('hang', { description: 'Hangs' }, () => new Promise(() => {})));
    add('notes.read', () => server.registerTool('notes.read', { description: 'Reads' }, () => text('A note')));
    add('picture', () =>
      server.registerTool('picture', { description: 'Draws' }, () => ({
        content: [{ type: 'image', data: 'AAAA', mimeType: 'image/png' }],
      })),
    );
    add('wait', () =>
      server.registerTool('wait', { description: 'Waits' }, async () => {
        await this.#wait();
        return text('Waited');
      }),
    );
    return server;
  }
}
