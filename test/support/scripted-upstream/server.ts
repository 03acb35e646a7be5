/** The scripted upstream: a provider of both dialects over HTTP/1.1 that behaves as each request's scenario says. Built-in modules only. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CREDENTIAL_HEADERS, planAnswer } from './answer.ts';
import { control } from './control.ts';
import { Journal } from './journal.ts';
import { play } from './play.ts';

export interface ScriptedUpstreamOptions {
  /** 0: any free port. */
  readonly port?: number;
  readonly host?: string;
  /** The one API key that is accepted; absent: any or none. */
  readonly requireKey?: string;
  /** Milliseconds between events where the scenario says nothing; default 30. */
  readonly delayMs?: number;
  /** Credentials are kept as `sha256:…` in the journal, where real ones may come along. */
  readonly hideCredentials?: boolean;
}

export interface ScriptedUpstream {
  readonly url: string;
  readonly port: number;
  readonly journal: Journal;
  /** Ends open answers and stops listening. */
  close(): Promise<void>;
}

const MOST_BODY_BYTES = 64 * 1024 ** 2;

/** Starts one; resolves when it accepts connections. */
export async function startScriptedUpstream(options: ScriptedUpstreamOptions = {}): Promise<ScriptedUpstream> {
  const { port = 0, host = '127.0.0.1' } = options;
  const journal = new Journal();
  const server = createServer((request, response) => {
    serve(request, response, journal, options).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  });
  // Longer than any client keeps an idle connection, so that it is never we who close one under a request.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host}:${address.port}`,
    port: address.port,
    journal,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  journal: Journal,
  options: ScriptedUpstreamOptions,
): Promise<void> {
  const { method = 'GET' } = request;
  const url = new URL(request.url ?? '/', 'http://upstream');
  const body = await readBody(request);
  if (url.pathname.startsWith('/control/')) {
    const answer = control(method, url, body.toString('utf8'), journal);
    return sendJson(response, answer.status, answer.body);
  }
  if (url.pathname === '/healthz') return sendJson(response, 200, { ok: true });
  const headers = pairs(request.rawHeaders, options.hideCredentials === true);
  const bodySha256 = createHash('sha256').update(body).digest('hex');
  const log = journal.open({ method, path: request.url ?? '/', headers, bodySha256, bodyBytes: body.length });
  const { script, scenario } = planAnswer({ request, path: url.pathname, body, log, journal, options });
  await play(script, { response, scenario, log, journal });
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function pairs(raw: readonly string[], hide: boolean): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => {
    const [name = '', value = ''] = raw.slice(index * 2);
    const hidden = hide && CREDENTIAL_HEADERS.includes(name.toLowerCase());
    return [name, hidden ? `sha256:${createHash('sha256').update(value).digest('hex')}` : value];
  });
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BODY_BYTES) throw new Error(`The body exceeds ${MOST_BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
