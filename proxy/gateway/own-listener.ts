/**
 * A gateway's own endpoints: on the pod's loopback under the number of the Service's port, for `kubectl port-forward`, and
 * never on the Service's port itself, where strangers call.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

type ServeOwn = (request: IncomingMessage, response: ServerResponse) => boolean;

const LOOPBACK = '127.0.0.1';

/** Answers 404 to what a sidecar would serve itself, so that it never travels on to a provider. */
export const withoutOwnEndpoints: ServeOwn = (request, response) => {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  if (path !== '/health' && path !== '/gateway' && !path.startsWith('/gateway/')) return false;
  refuse(
    request,
    response,
    "Ask on the pod's own loopback (kubectl port-forward): a gateway's own endpoints are not here",
  );
  return true;
};

/**
 * Serves the own endpoints on the loopback.
 * @param host of the Service's listener
 * @returns closes it; undefined where the Service's listener has the loopback itself
 */
export async function listenForOwn(host: string, port: number, serveOwn: ServeOwn): Promise<(() => void) | undefined> {
  if (host.startsWith('127.') || host === '0.0.0.0' || host === '::' || host === '::1') return undefined;
  const server = createServer({ maxHeaderSize: 16 * 1024 }, (request, response) => {
    if (!serveOwn(request, response))
      refuse(request, response, 'Only the own endpoints are here; use the Service for all else');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, resolve);
  });
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

function refuse(request: IncomingMessage, response: ServerResponse, message: string): void {
  const body = JSON.stringify({
    error: { message: `Sluice: ${message}`, type: 'invalid_request_error', code: 'own_endpoint', param: null },
  });
  request.resume();
  response.writeHead(404, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
