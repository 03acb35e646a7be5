/**
 * Resets a connection, so that nobody takes its end for an orderly one. Node resets plain sockets only: under TLS it is the
 * socket below that must be, and which one that is has to be noted when the handshake is done.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

const below = new WeakMap<TLSSocket, Socket>();

/** Notes the sockets below those of a server. */
export function noteSockets(server: Server): void {
  const connecting = new Map<string, Socket>();
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket);
    connecting.set(peer, socket);
    socket.once('close', () => {
      if (connecting.get(peer) === socket) connecting.delete(peer);
    });
  });
  server.on('secureConnection', (socket) => {
    const plain = connecting.get(peerOf(socket));
    if (plain) below.set(socket, plain);
  });
}

export function reset(socket: Socket): void {
  if (!(socket instanceof TLSSocket)) {
    socket.resetAndDestroy();
    return;
  }
  below.get(socket)?.resetAndDestroy();
  socket.destroy();
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
