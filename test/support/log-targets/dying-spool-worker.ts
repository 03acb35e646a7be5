/**
 * The spool's worker thread with sinks that end it: over each record that says `"die":"yes"` (for want of memory the first time, as
 * that takes seconds, and by an exit later), over batches of more records than `MOST`, and for targets named `unopenable` while they
 * are opened. Everything else is delivered for real.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { SpoolEngine } from '../../../proxy/log/spool/engine.ts';
import type { SpoolReply, SpoolRequest } from '../../../proxy/log/spool/messages.ts';
import { type OpenSink, openSink } from '../../../proxy/log/spool/open-sink.ts';

export const MOST = 20;

// The test imports `MOST` outside of any thread.
const { stateDirectory = '' } = (workerData ?? {}) as { readonly stateDirectory?: string };
const exhausted = join(stateDirectory, 'exhausted');

const dyingSink: OpenSink = async (target, credentials) => {
  if (target.name === 'unopenable') process.exit(3);
  const sink = await openSink(target, credentials);
  if (target.name === 'good') return sink;
  return {
    batch: sink.batch,
    async write(records, signal) {
      const text = records.map(({ json }) => json.toString()).join();
      if (text.includes('"die":"yes"') && !existsSync(exhausted)) exhaust();
      if (text.includes('"die":"yes"') || records.length > MOST) process.exit(3);
      await sink.write(records, signal);
    },
    close: () => sink.close(),
  };
};

/** V8 ends the thread at its limit. */
function exhaust(): void {
  writeFileSync(exhausted, '');
  const hoard: unknown[] = [];
  for (;;) {
    const text = 'x'.repeat(1 << 24);
    // Only a text of which a character was asked lies in memory as a whole.
    text.charCodeAt(1 << 23);
    hoard.push(text);
  }
}

if (parentPort !== null) {
  const port = parentPort;
  const engine = new SpoolEngine({
    stateDirectory,
    openSink: dyingSink,
    send(reply: SpoolReply) {
      port.postMessage(reply);
      if (reply.kind === 'closed') port.close();
    },
  });
  port.on('message', (request: SpoolRequest) => engine.handle(request));
}
