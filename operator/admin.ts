/** The operator's own port: /metrics, /healthz and /readyz. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AdminOptions {
  readonly port: number;
  readonly metrics: { readonly contentType: string; expose(): Promise<string> };
  /** What is missing until we are ready; empty: ready. Asked on each probe, so it must only look. */
  readonly missing: () => readonly string[];
}

/** @returns the port that it listens on, and how to end it at once */
export async function serveAdmin({
  port,
  metrics,
  missing,
}: AdminOptions): Promise<{ readonly port: number; readonly close: () => void }> {
  const answer = async (path: string): Promise<{ status: number; type: string; body: string }> => {
    const type = 'text/plain; charset=utf-8';
    switch (path) {
      case '/metrics':
        return { status: 200, type: metrics.contentType, body: await metrics.expose() };
      case '/healthz':
        // That this line runs is the answer: a lost lease ends the process, a hung event loop answers nothing.
        return { status: 200, type, body: 'ok\n' };
      case '/readyz': {
        const reasons = missing();
        return reasons.length === 0
          ? { status: 200, type, body: 'ok\n' }
          : { status: 503, type, body: `${reasons.join('\n')}\n` };
      }
      default:
        return { status: 404, type, body: 'Not found; there are /metrics, /healthz and /readyz.\n' };
    }
  };
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    answer(path).then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(port);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
