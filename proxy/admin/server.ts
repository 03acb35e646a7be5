/** The listener on the pod's address: /metrics, /healthz, /readyz and /revision for the scraper, the kubelet and the operator; nothing else. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ProxyStatus } from './status.ts';

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly status: ProxyStatus;
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
}

export interface AdminServer {
  readonly port: number;
  close(): void;
}

interface Reply {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = 'text/plain; charset=utf-8';
const text = (code: number, body: string): Reply => ({ code, type: TEXT, body: `${body}\n` });

export async function serveAdmin(options: AdminOptions): Promise<AdminServer> {
  const server = createServer({ maxHeaderSize: 16 * 1024 }, (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const known = request.method === 'GET' || request.method === 'HEAD';
    void (known ? answer(path, options) : Promise.resolve(text(405, 'Use GET'))).then(
      (reply) => send(response, reply),
      () => send(response, text(500, 'The metrics cannot be rendered')),
    );
  });
  await bind(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(path: string, { status, metrics }: AdminOptions): Promise<Reply> {
  switch (path) {
    case '/metrics':
      return { code: 200, type: metrics.contentType, body: await metrics.render() };
    case '/healthz':
      return text(200, 'ok');
    case '/readyz':
      return text(status.ready ? 200 : 503, status.state);
    case '/revision':
      return { code: 200, type: 'application/json', body: JSON.stringify(status.describe()) };
    default:
      return text(404, 'Only /metrics, /healthz, /readyz and /revision are here');
  }
}

function send(response: ServerResponse, { code, type, body }: Reply): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function bind(server: Server, { host, port }: AdminOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
