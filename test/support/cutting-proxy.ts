/** A TCP proxy in front of a server that breaks connections: cut, silent (accepted and never answered), or refused. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface CuttingProxy {
  readonly url: string;
  /** Connections that were opened so far. */
  readonly opened: () => number;
  /** Resets every connection; new ones pass. */
  cut(): void;
  /** `silent`: bytes of old and new connections go nowhere, without an error; `refusing`: new ones are reset at once. */
  mode(mode: 'open' | 'silent' | 'refusing'): void;
}

export async function cuttingProxy(t: TestContext, target: URL): Promise<CuttingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let mode: 'open' | 'silent' | 'refusing' = 'open';
  let opened = 0;
  const server = createServer((client) => {
    opened += 1;
    if (mode === 'refusing') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: target.hostname, port: Number(target.port || 443) });
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('data', (bytes: Buffer) => {
        if (mode !== 'silent') to.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  t.after(() => {
    cut();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}`, opened: () => opened, cut, mode: (next) => (mode = next) };
}
