/** The archive's thread. */
import { RestartingThread, type ThreadEvents } from '../restarting-thread.ts';
import type { AuditReply, AuditRequest } from './messages.ts';

export type ArchiveThread = RestartingThread<AuditRequest, AuditReply>;

/** In a bundle the worker lies beside it under this name; as sources it is a file of this folder. */
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './audit-worker.mjs', import.meta.url);

/** @param after must have happened before it starts */
export function startArchiveThread(
  stateDirectory: string,
  after: Promise<void>,
  events: ThreadEvents<AuditReply>,
): ArchiveThread {
  return new RestartingThread({ url: WORKER_URL, stateDirectory, after, restartLastMs: 60_000 }, events);
}
