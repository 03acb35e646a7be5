/** A TCP proxy in front of a server that breaks connections: cut, silent, refused, closed, slow, down, or answered by itself. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/**
 * `silent`: bytes of old and new connections go nowhere, without an error; `refusing`: new ones are reset at once; `closing`: they
 * are taken, and closed at their first bytes; `slow`: all bytes come later; `down`: nobody listens.
 */
export type CuttingMode = 'open' | 'silent' | 'refusing' | 'closing' | 'slow' | 'down';

export interface CuttingProxy {
  readonly url: string;
  /** host:port */
  readonly host: string;
  /** Connections that were opened so far. */
  readonly opened: () => number;
  /** Resets every connection; new ones pass. */
  cut(): void;
  mode(mode: CuttingMode): void;
  /** Looks at what clients send: what it gives is written back instead, and the connection ended. */
  answer: (bytes: Buffer) => string | undefined;
}

/** Of each chunk, there and back. */
const SLOW_MS = 60;

export async function cuttingProxy(t: TestContext, target: URL): Promise<CuttingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let mode: CuttingMode = 'open';
  let opened = 0;
  const own: Pick<CuttingProxy, 'answer'> = { answer: () => undefined };
  const server = createServer((client) => {
    opened += 1;
    if (mode === 'refusing') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: target.hostname, port: Number(target.port || 443) });
    const pair = [client, upstream] as const;
    pairs.add(pair);
    couple(pair, { mode: () => mode, answer: (bytes) => own.answer(bytes), closed: () => pairs.delete(pair) });
  });
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
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
  return Object.assign(own, {
    url: `https://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    opened: () => opened,
    cut,
    mode: (next: CuttingMode) => {
      if (next === 'down') {
        server.close();
        cut();
      } else if (mode === 'down') void listen(port);
      mode = next;
    },
  });
}

interface Way {
  readonly mode: () => CuttingMode;
  readonly answer: CuttingProxy['answer'];
  readonly closed: () => void;
}

function couple([client, upstream]: readonly [Socket, Socket], { mode, answer, closed }: Way): void {
  for (const [from, to] of [[client, upstream] as const, [upstream, client] as const]) {
    from.on('data', (bytes: Buffer) => {
      if (mode() === 'silent') return;
      const own = from === client ? answer(bytes) : undefined;
      if (own !== undefined) {
        upstream.destroy();
        client.removeAllListeners('data').resume().end(own);
      } else if (mode() === 'closing') client.destroy();
      else if (mode() === 'slow') slowly(from, to, bytes);
      else to.write(bytes);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      closed();
      // What came last is still on its way, or an answer of our own is being read.
      if (mode() === 'slow') setTimeout(() => to.end(), 2 * SLOW_MS);
      else if (!(to === client && client.writableEnded)) to.destroy();
    });
  }
}

/** In order: nothing more is read meanwhile. */
function slowly(from: Socket, to: Socket, bytes: Buffer): void {
  from.pause();
  setTimeout(() => {
    to.write(bytes);
    from.resume();
  }, SLOW_MS);
}
