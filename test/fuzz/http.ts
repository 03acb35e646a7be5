/** Mutated requests over raw sockets against the proxy as a process; its upstream parses strictly what comes out behind. */
import { connect } from 'node:net';
import { metricSum } from '../support/clients/records.ts';
import { type Seeded, seeded } from '../support/clients/seeded.ts';
import { messagesRequest, ProxyProcess, post } from '../support/proxy-process.ts';
import { mutate } from './mutate.ts';
import { readStrictly } from './strict-request.ts';
import { startStrictUpstream } from './strict-upstream.ts';

const LANES = 16;
/** Silence after which an answer is not waited for any more: a request that lost its end gets none. */
const QUIET_MS = 60;
const SMUGGLED = '/smuggled';
const INNER = `GET ${SMUGGLED} HTTP/1.1\r\nHost: x\r\n\r\n`;

export interface HttpFigures {
  readonly requests: number;
  /** Refused by the strict parser: no 2xx may follow. */
  readonly ambiguous: number;
  readonly answered: Readonly<Record<string, number>>;
  readonly reachedUpstream: number;
  /** Empty, or what was found. */
  readonly failures: readonly string[];
}

/** Whole requests, framed in both ways, with another one in the body or behind them. */
function seeds(): Buffer[] {
  const chunked = (body: string, more = ''): string =>
    `POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n${more}\r\n` +
    `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const model = '{"model":"claude-x","stream":true}';
  return [
    messagesRequest(model),
    messagesRequest(model) + INNER,
    post('/echo/a?b=c', INNER),
    chunked(model),
    chunked(INNER),
    chunked(model, 'Trailer: x-a\r\n').replace('0\r\n\r\n', '0\r\nx-a: b\r\n\r\n') + INNER,
    messagesRequest(model, 'Expect: 100-continue\r\n'),
    'GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n',
    `GET /echo HTTP/1.0\r\n\r\n${INNER}`,
    messagesRequest(model, 'Connection: close, x-secret\r\nx-secret: 1\r\nTE: trailers\r\n'),
  ].map((text) => Buffer.from(text, 'latin1'));
}

/** @param durationMs from the moment on at which the proxy accepts */
export async function fuzzHttp(durationMs: number, seed: number): Promise<HttpFigures> {
  const upstream = await startStrictUpstream(SMUGGLED);
  const proxy = await ProxyProcess.start({
    upstreams: [{ name: 'up', dialect: 'raw', url: upstream.url }],
    routes: [{ name: 'some', match: { paths: ['/v1/*', '/echo*'] }, upstreams: [{ name: 'up' }] }],
    logging: { capture: { maxBodyBytes: '1Ki' } },
  });
  const failures: string[] = [];
  const answered: Record<string, number> = {};
  let requests = 0;
  let ambiguous = 0;
  const random = seeded(seed);
  // From here on: a start takes long on a busy machine.
  const endsAt = performance.now() + durationMs;
  const lane = async (): Promise<void> => {
    while (performance.now() < endsAt && failures.length === 0) {
      const bytes = mutate(random.pick(seeds()), 'http', random);
      // Empty lines before a request are allowed.
      const strict = readStrictly(bytes.subarray(leadingLines(bytes)), false);
      requests += 1;
      if (strict.kind === 'refused') ambiguous += 1;
      const status = await firstStatus(proxy.listenPort, bytes, random);
      answered[status] = (answered[status] ?? 0) + 1;
      const shown = JSON.stringify(bytes.toString('latin1'));
      if (strict.kind === 'refused' && status.startsWith('2')) failures.push(`${status} to ${strict.why}: ${shown}`);
      if (status === '500') failures.push(`500 to ${shown}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: LANES }, lane));
    failures.push(...upstream.violations);
    if ((await proxy.admin('/healthz')).status !== 200) failures.push('the proxy is not healthy');
    if ((await metricSum(proxy, 'sluice_watch_failures_total')) > 0) failures.push('a tap failed');
    if (proxy.output.includes('by a mistake of ours'))
      failures.push(`a mistake of ours: ${proxy.output.slice(-2_000)}`);
    return { requests, ambiguous, answered: sorted(answered), reachedUpstream: upstream.requests(), failures };
  } finally {
    await proxy.stop();
    await upstream.close();
  }
}

function leadingLines(bytes: Buffer): number {
  return /^[\r\n]*/.exec(bytes.toString('latin1'))?.[0].length ?? 0;
}

/** Status of the first final answer; `none` when the connection closed without one, `silent` when nothing came. */
function firstStatus(port: number, bytes: Buffer, random: Seeded): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let text = '';
  const settle = (status: string): void => {
    socket.destroy();
    resolve(status);
  };
  socket.setTimeout(QUIET_MS, () => settle('silent'));
  socket.on('error', () => settle('none'));
  socket.on('close', () => settle('none'));
  socket.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString('latin1')).replace(/^HTTP\/1\.1 1\d\d [\s\S]*?\r\n\r\n/, '');
    const status = /^HTTP\/1\.1 ([2-9]\d\d)/.exec(text)?.[1];
    if (status !== undefined) settle(status);
  });
  // In two pieces, as the place where the network cuts must not matter.
  const at = random.below(bytes.length + 1);
  socket.write(bytes.subarray(0, at));
  setImmediate(() => socket.write(bytes.subarray(at)));
  return promise;
}

function sorted(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}
