/** The scripted upstream as a program: options by arguments or environment, one line when it listens, ends on SIGTERM and SIGINT. */
import { parseArgs } from 'node:util';
import { startScriptedUpstream } from './server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env['SCRIPTED_PORT'] ?? '8080' },
    host: { type: 'string', default: process.env['SCRIPTED_HOST'] ?? '127.0.0.1' },
    'require-key': { type: 'string' },
    delay: { type: 'string', default: process.env['SCRIPTED_DELAY_MS'] ?? '30' },
    'hide-credentials': { type: 'boolean', default: false },
  },
});
const requireKey = values['require-key'] ?? process.env['SCRIPTED_REQUIRE_KEY'];

const upstream = await startScriptedUpstream({
  port: Number(values.port),
  host: values.host,
  delayMs: Number(values.delay),
  hideCredentials: values['hide-credentials'],
  ...(requireKey !== undefined && { requireKey }),
});
console.log(`scripted upstream listens on ${upstream.url}`);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    upstream.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}
