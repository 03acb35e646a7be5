/** Worker thread of the spool: its database and its targets' connections, none of which a stream shall wait for. */
import { parentPort, workerData } from 'node:worker_threads';
import { standBack } from '../stand-back.ts';
import { steadyClock } from '../steady-clock.ts';
import { SpoolEngine } from './engine.ts';
import type { SpoolReply, SpoolRequest } from './messages.ts';
import { openSink } from './open-sink.ts';

standBack();
const { stateDirectory, epochOffsetMs } = workerData as {
  readonly stateDirectory: string;
  /** Of the process's steady clock. */
  readonly epochOffsetMs: number;
};
const engine = new SpoolEngine({
  stateDirectory,
  openSink,
  now: steadyClock(epochOffsetMs),
  send(reply: SpoolReply) {
    parentPort?.postMessage(reply);
    if (reply.kind === 'closed') parentPort?.close();
  },
});
parentPort?.on('message', (request: SpoolRequest) => engine.handle(request));
