/** Worker thread of the spool: its database and its targets' connections, none of which a stream shall wait for. */
import { parentPort, workerData } from 'node:worker_threads';
import { SpoolEngine } from './engine.ts';
import type { SpoolReply, SpoolRequest } from './messages.ts';
import { openSink } from './open-sink.ts';

const { stateDirectory } = workerData as { readonly stateDirectory: string };
const engine = new SpoolEngine({
  stateDirectory,
  openSink,
  send(reply: SpoolReply) {
    parentPort?.postMessage(reply);
    if (reply.kind === 'closed') parentPort?.close();
  },
});
parentPort?.on('message', (request: SpoolRequest) => engine.handle(request));
