/**
 * The least that a relay on node:http and undici can be: no config, no tap, no metrics, no log. What Sluice costs above
 * it is what Sluice's own work costs. Usage: node relay.ts LISTEN_PORT UPSTREAM_ORIGIN
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Dispatcher, Pool } from 'undici';

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect']);

const [port = '', origin = ''] = process.argv.slice(2);
const pool = new Pool(origin, { connections: null, pipelining: 1, allowH2: false, headersTimeout: 0, bodyTimeout: 0 });

function endToEnd(raw: readonly (string | Buffer)[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = String(raw[i]);
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, String(raw[i + 1]));
  }
  return kept;
}

function relay(req: IncomingMessage, res: ServerResponse): void {
  const request: Dispatcher.DispatchOptions = {
    path: req.url ?? '/',
    method: req.method as Dispatcher.HttpMethod,
    headers: endToEnd(req.rawHeaders),
    body: req,
  };
  res.sendDate = false;
  pool.dispatch(request, {
    onRequestStart(controller) {
      res.on('close', () => {
        if (!res.writableFinished) controller.abort(new Error('The client left'));
      });
    },
    onResponseStart(controller, status, _headers, message) {
      if (status < 200) return;
      res.writeHead(status, message, endToEnd(controller.rawHeaders as Buffer[]));
      res.flushHeaders();
    },
    onResponseData(controller, chunk) {
      if (res.write(chunk)) return;
      controller.pause();
      res.once('drain', () => controller.resume());
    },
    onResponseEnd() {
      res.end();
    },
    onResponseError() {
      res.destroy();
    },
  });
}

const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, relay);
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
