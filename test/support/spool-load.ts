/** Numbered exchanges through a proxy process, and who saw which: what the upstream saw must be recorded, and nothing that was never sent. */
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { type ProxyProcess, type Spec, simpleSpec } from './proxy-process.ts';

const ANSWER = JSON.stringify({
  type: 'message',
  role: 'assistant',
  model: 'claude-x',
  content: [{ type: 'text', text: 'words '.repeat(300) }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 9, output_tokens: 300 },
});
const QUESTION = JSON.stringify({ model: 'claude-x', messages: [{ role: 'user', content: 'Tell me '.repeat(600) }] });

export interface NumberedUpstream {
  readonly url: string;
  /** Numbers of the requests that came. */
  readonly seen: ReadonlySet<number>;
}

/** Answers at once; each request's number is in its query. */
export async function startNumberedUpstream(t: TestContext): Promise<NumberedUpstream> {
  const seen = new Set<number>();
  const server = createServer((asked, response) => {
    seen.add(numberOf(asked.url ?? ''));
    asked.resume();
    asked.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(ANSWER));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    await promisify(server.close.bind(server))();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

export type Targets = NonNullable<NonNullable<Spec['logging']>['targets']>;

export function loggingSpec(
  upstream: string,
  targets: Targets,
  spool: { maxBytes?: string; maxAge?: string } = {},
): Spec {
  return { ...simpleSpec(upstream), logging: { targets, spool } };
}

/** The number of the exchange that a request target or a record is of. */
export function numberOf(target: string): number {
  return Number(/[?&]n=(\d+)/.exec(target)?.[1] ?? Number.NaN);
}

export function numberOfRecord(record: Readonly<Record<string, unknown>>): number {
  return numberOf((record['request'] as { readonly target: string }).target);
}

/** Sends exchanges, each with the next number, over all its proxies. */
export class NumberedLoad {
  /** Numbers that were sent, whatever became of them. */
  readonly sent = new Set<number>();
  /** Those that were answered whole. */
  readonly answered = new Set<number>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #chosen: string | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();
  #next = 0;

  /** @param chosen file that gets each number, a line each, before it is sent */
  constructor(chosen?: string) {
    this.#chosen = chosen;
  }

  /** One exchange; never rejects. @param question body of the request */
  async one(proxy: Pick<ProxyProcess, 'listenPort'>, question = QUESTION): Promise<void> {
    const number = this.#next++;
    if (this.#chosen !== undefined) appendFileSync(this.#chosen, `${number}\n`);
    this.sent.add(number);
    await new Promise<void>((resolve) => {
      const asked = request({
        agent: this.#agent,
        host: '127.0.0.1',
        port: proxy.listenPort,
        path: `/v1/messages?n=${number}`,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(question) },
      });
      asked.on('error', () => resolve());
      asked.on('response', (response) => {
        response.resume();
        response.on('close', () => {
          if (response.complete && response.statusCode === 200) this.answered.add(number);
          resolve();
        });
      });
      asked.end(question);
    });
  }

  /** Several exchanges, one after the other. */
  async some(proxy: Pick<ProxyProcess, 'listenPort'>, count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.one(proxy);
  }

  /** So many a second, whatever becomes of those before, until stopped. */
  pace(proxy: Pick<ProxyProcess, 'listenPort'>, perSecond: number): () => Promise<void> {
    const running = new Set<Promise<void>>();
    const timer = setInterval(() => {
      const one = this.one(proxy).finally(() => running.delete(one));
      running.add(one);
    }, 1000 / perSecond);
    this.#timers.add(timer);
    return async () => {
      clearInterval(timer);
      await Promise.all(running);
    };
  }

  /** Lanes without pause, until stopped. */
  start(proxy: Pick<ProxyProcess, 'listenPort'>, lanes: number): () => Promise<void> {
    let stopped = false;
    const running = Array.from({ length: lanes }, async () => {
      while (!stopped) await this.one(proxy);
    });
    return async () => {
      stopped = true;
      await Promise.all(running);
    };
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#agent.destroy();
  }
}
