/** The spool's thread. */
import { RestartingThread, type ThreadEvents } from '../restarting-thread.ts';
import type { SpoolReply, SpoolRequest } from './messages.ts';

export type SpoolThreadEvents = ThreadEvents<SpoolReply>;
export type SpoolThread = RestartingThread<SpoolRequest, SpoolReply>;

/** In a bundle the worker lies beside it under this name; as sources it is a file of this folder. */
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './spool-worker.mjs', import.meta.url);

export function startSpoolThread(stateDirectory: string, events: SpoolThreadEvents): SpoolThread {
  return new RestartingThread({ url: WORKER_URL, stateDirectory, restartLastMs: 30_000 }, events);
}
