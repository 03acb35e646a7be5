/** A proxy that keeps its records, conversations through it, and questions about them. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { AuditHit } from '../../../proxy/log/audit/messages.ts';
import { takeOne } from '../clients/records.ts';
import { ProxyProcess, post, type Spec } from '../proxy-process.ts';
import { parseAnswer, RawClient } from '../raw-client.ts';
import { RawUpstream } from '../raw-upstream.ts';

export interface Found {
  readonly hits: readonly AuditHit[];
  readonly next?: string;
  readonly archive: { readonly records: number };
}

export const KEPT = { audit: { enabled: true } };

export function spec(url: string, logging: Spec['logging'] = KEPT): Spec {
  return {
    upstreams: [{ name: 'up', dialect: 'anthropic', url }],
    routes: [
      { name: 'drafts', match: { agents: ['writer'] }, upstreams: [{ name: 'up' }] },
      { name: 'all', upstreams: [{ name: 'up' }] },
    ],
    logging: { ...logging },
  };
}

export async function scene(t: TestContext, logging?: Spec['logging'], env: Readonly<Record<string, string>> = {}) {
  const upstream = await RawUpstream.start();
  t.after(() => upstream.close());
  const proxy = await ProxyProcess.start(spec(upstream.url, logging), { env });
  t.after(() => proxy.stop());
  return { proxy, upstream };
}

export type Scene = Awaited<ReturnType<typeof scene>>;

export function events(...texts: readonly string[]): string[] {
  const event = (type: string, more: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  return [
    event('message_start', {
      message: { id: 'm', role: 'assistant', model: 'claude-opus-5', content: [], usage: { input_tokens: 3 } },
    }),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    ...texts.map((text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })),
    event('content_block_stop', { index: 0 }),
    event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 5 } }),
    event('message_stop', {}),
  ];
}

/** One exchange, whose answer comes in chunks that cut where they like; resolves with its id when it was logged. */
export async function talk(
  { proxy, upstream }: Scene,
  prompt: string,
  answer: readonly string[],
  headers = '',
): Promise<string> {
  const body = { model: 'claude-opus-5', stream: true, messages: [{ role: 'user', content: prompt }] };
  const client = await RawClient.send(proxy.listenPort, post('/v1/messages', JSON.stringify(body), headers));
  const exchange = await upstream.next();
  await exchange.openStream();
  let sent = 0;
  for (const event of events(...answer)) {
    // Where characters and lines are cut, nobody asked.
    for (const half of [event.slice(0, event.length / 2), event.slice(event.length / 2)]) {
      await exchange.chunk(half);
      sent += Buffer.byteLength(half);
      await client.until(() => (parseAnswer(client.received)?.body.length ?? 0) >= sent);
    }
  }
  await exchange.endChunks();
  const { id } = await takeOne(proxy);
  client.destroy();
  return id;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export function get(proxy: ProxyProcess, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: proxy.listenPort, path, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(parts).toString() }),
      );
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

export async function find(proxy: ProxyProcess, query: string): Promise<Found> {
  const { status, text } = await get(proxy, `/gateway/audit?${query}`);
  assert.equal(status, 200, text);
  return JSON.parse(text) as Found;
}

/** Asks until so many records are kept: they are on their way when their exchange has ended. */
export async function kept(proxy: ProxyProcess, records: number): Promise<void> {
  for (;;) {
    const { status, text } = await get(proxy, '/gateway/audit?limit=1');
    if (status === 200 && (JSON.parse(text) as Found).archive.records >= records) return;
    await pause(20);
  }
}
