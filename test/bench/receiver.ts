/** A receiver of records, for measurements: `node receiver.ts PORT answers|hangs`. It reads each batch whole; one that hangs never answers. */
import { createServer } from 'node:http';

const [port, behaviour] = process.argv.slice(2);

const server = createServer((request, response) => {
  request.resume();
  if (behaviour === 'hangs') return;
  request.on('end', () => response.writeHead(204).end());
});
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
