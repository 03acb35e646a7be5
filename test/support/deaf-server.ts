/** An address where no connection comes about and nothing is refused either, as behind a firewall that drops packets. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';

/** Listens and never takes a connection: the kernel holds two in its queue, and passes over what else asks for one. */
const LISTEN = `
  const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 });
  server.once('listening', () => process.stdout.write(String(server.address().port)));
`;

/** @returns its port */
export async function startDeafServer(t: TestContext): Promise<number> {
  const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  for (let n = 0; n < 2; n++) {
    const queued = connect(Number(port), '127.0.0.1');
    queued.on('error', () => {});
    t.after(() => queued.destroy());
    await once(queued, 'connect');
  }
  return Number(port);
}
