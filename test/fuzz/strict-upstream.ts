/** An upstream that reads every byte it gets by the strict parser and keeps what is wrong; it answers each whole request. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { readStrictly } from './strict-request.ts';

export interface StrictUpstream {
  readonly url: string;
  /** Whole requests. */
  readonly requests: () => number;
  /** What no upstream may ever get. */
  readonly violations: readonly string[];
  close(): Promise<void>;
}

/** @param forbidden part of a target that only a smuggled request has */
export async function startStrictUpstream(forbidden: string): Promise<StrictUpstream> {
  const violations: string[] = [];
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    let bytes: Buffer = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        const read = readStrictly(bytes, true);
        if (read.kind === 'refused')
          violations.push(`${read.why}: ${JSON.stringify(bytes.toString('latin1').slice(0, 400))}`);
        if (read.kind !== 'whole') return;
        requests += 1;
        if (read.target.includes(forbidden)) violations.push(`a smuggled request: ${read.target}`);
        bytes = bytes.subarray(read.used);
        // Nothing is pipelined to upstreams, so more bytes now are another request inside this one.
        if (bytes.length > 0)
          violations.push(`bytes behind a request: ${JSON.stringify(bytes.toString('latin1').slice(0, 400))}`);
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    violations,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
