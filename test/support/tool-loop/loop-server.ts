/** A tool loop behind a real listener and in front of a real upstream connection, without the rest of the proxy. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { compile } from '../../../contract/compile/compile.ts';
import type { ValidRoute, ValidUpstream } from '../../../contract/compiled.ts';
import type { StreamProxy } from '../../../contract/resources.ts';
import { attempt } from '../../../proxy/dispatch/attempt.ts';
import { answerHeaders } from '../../../proxy/dispatch/headers.ts';
import { Interruption, ProxyError } from '../../../proxy/errors.ts';
import type { Tap } from '../../../proxy/exchange.ts';
import { errorBody } from '../../../proxy/listen/error-body.ts';
import { createLogger } from '../../../proxy/log/logger.ts';
import { ClientAnswer } from '../../../proxy/stream/framing.ts';
import { pump } from '../../../proxy/stream/pump.ts';
import { scannerFor } from '../../../proxy/stream/scan.ts';
import { loopForm, runToolLoop } from '../../../proxy/tools/loop.ts';
import type { Json, ToolCallReport } from '../../../proxy/tools/tool.ts';
import { Toolboxes } from '../../../proxy/tools/toolboxes.ts';
import { openPool, type UpstreamPool } from '../../../proxy/upstream/pool.ts';

type Spec = StreamProxy['spec'];
export type ToolLoopSpec = NonNullable<Spec['routes'][number]['toolLoop']>;

export class LoopServer {
  /** Meters and reports, as they came. */
  readonly counted: string[] = [];
  readonly reports: ToolCallReport[] = [];
  /** How the streams ended. */
  readonly ends: string[] = [];
  readonly secrets = new Map<string, string>();
  readonly logged: string[] = [];
  readonly #toolboxes = new Toolboxes({
    logger: createLogger({ write: (line) => this.logged.push(line) }),
    meters: { toolListFailed: (server, reason) => this.counted.push(`list ${server} ${reason}`) },
  });
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #upstreamUrl: string;
  #pool: UpstreamPool | undefined;
  #route: ValidRoute | undefined;
  #upstream: ValidUpstream | undefined;

  private constructor(upstreamUrl: string) {
    this.#upstreamUrl = upstreamUrl;
  }

  static async start(upstreamUrl: string): Promise<LoopServer> {
    const server = new LoopServer(upstreamUrl);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Puts a tool loop in force; secrets are those of the Secret `tools`. */
  use(toolLoop: ToolLoopSpec, keys: Readonly<Record<string, string>> = {}): void {
    const spec: Spec = {
      upstreams: [{ name: 'model', dialect: 'raw', url: this.#upstreamUrl }],
      routes: [{ name: 'all', upstreams: [{ name: 'model' }], toolLoop }],
    };
    const facts = new Map([['tools', { exists: true as const, version: '1', keys: new Set(Object.keys(keys)) }]]);
    const { config, credentials, findings } = compile({ metadata: { name: 'llm' }, spec }, facts);
    const [upstream] = config.upstreams;
    const [route] = config.routes;
    if (upstream?.kind !== 'valid' || route?.kind !== 'valid') throw new Error(JSON.stringify(findings));
    this.secrets.clear();
    for (const { file, key } of credentials) this.secrets.set(file, keys[key] ?? '');
    this.#route = route;
    this.#upstream = upstream;
    this.#pool ??= openPool(upstream, {});
    this.counted.length = 0;
    this.reports.length = 0;
    this.ends.length = 0;
  }

  /** A config without any tool loop came. */
  retain(): Promise<void> {
    return this.#toolboxes.retain([], this.secrets);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await Promise.all([once(this.#server, 'close'), this.#toolboxes.close(), this.#pool?.destroy()]);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const gone = new AbortController();
    response.on('close', () => {
      if (!response.writableFinished) gone.abort(new Interruption('client_gone'));
    });
    try {
      await this.#loop(request, response, JSON.parse(Buffer.concat(parts).toString('utf8')) as Json, gone.signal);
    } catch (error) {
      this.ends.push(error instanceof ProxyError ? `error ${error.kind}` : String(error));
      if (!(error instanceof ProxyError)) return;
      const facts = { kind: error.kind, status: 502, message: error.message, id: 'exchange-1' };
      response.writeHead(502, { 'content-type': 'application/json', 'x-should-retry': 'false' });
      response.end(errorBody(request.url === '/v1/messages' ? 'anthropic' : 'openai', facts));
    }
  }

  async #loop(request: IncomingMessage, response: ServerResponse, body: Json, signal: AbortSignal): Promise<void> {
    const { toolLoop } = this.#route ?? {};
    const path = request.url ?? '';
    const form = loopForm(path);
    const upstream = this.#upstream;
    const pool = this.#pool;
    if (!toolLoop || !form || !upstream || !pool) throw new Error('No tool loop is in force');
    const answer = await runToolLoop({
      form,
      body,
      toolLoop,
      toolbox: this.#toolboxes.get(toolLoop, this.secrets),
      signal,
      exchangeId: 'exchange-1',
      meters: {
        toolCalled: (tool, outcome) => this.counted.push(`called ${tool ?? 'unknown'} ${outcome}`),
        toolShadowed: (tool) => this.counted.push(`shadowed ${tool}`),
        toolLoopEnded: (end, rounds) => this.counted.push(`ended ${end} ${rounds}`),
      },
      called: (report) => this.reports.push(report),
      turn: (bytes, limit) => {
        const headers = ['content-type', 'application/json'];
        const sent = { method: 'POST', path, headers, body: bytes, waitsForClient: () => false };
        return attempt(pool, upstream, sent, { signal: limit, inform: () => {} });
      },
    });
    const client = new ClientAnswer(request, response);
    const options = { decoded: false, exhausted: false, added: [] };
    const rawHeaders = answerHeaders(answer.rawHeaders, options);
    const tap = tapOf(path, answer.dialect === 'anthropic' ? 'anthropic' : 'openai', answer.rawHeaders);
    const end = await pump({ answer, rawHeaders, client, tap, signal, heldMs: 0, decoder: undefined });
    this.ends.push(end.detail === undefined ? end.kind : `${end.kind} ${end.detail}`);
  }
}

function tapOf(path: string, dialect: 'anthropic' | 'openai', rawHeaders: readonly string[]): Tap {
  const scanner = scannerFor(dialect, path, rawHeaders);
  const nothing = (): void => {};
  return {
    ...({ matched: nothing, requestChunk: nothing, attempted: nothing, answered: nothing } as unknown as Tap),
    delivered: nothing,
    ended: nothing,
    answerChunk: (chunk) => scanner.push(chunk),
    verdict: () => scanner.verdict(),
  };
}
