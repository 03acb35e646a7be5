/** Asks a port of the loopback address: whether it takes connections, and what a path answers. */
import { connect } from 'node:net';

const PROBE_EVERY_MS = 20;
const ACCEPT_LIMIT_MS = 20_000;

/** @returns whether the port takes a connection */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Resolves when the port takes connections; throws after 20 seconds. */
export async function acceptsSoon(port: number): Promise<void> {
  const until = performance.now() + ACCEPT_LIMIT_MS;
  while (!(await accepts(port))) {
    if (performance.now() > until) throw new Error(`Nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
  }
}

/** @returns whether a GET of the path is answered 200; a bare socket, as fetch would cost more than what it measures */
export async function answers(port: number, path: string): Promise<boolean> {
  return (await answerOf(port, path)).startsWith('HTTP/1.1 200');
}

/** @returns the whole answer to a GET as it came, head included; nothing when there was none */
export function answerOf(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`));
    socket.on('data', (part) => {
      text += part;
    });
    socket.on('error', () => resolve(''));
    socket.on('close', () => resolve(text));
  });
}
