/**
 * Worker thread that makes the records of a config with patterns: to look for them takes 0.1 s for a MiB and more where much is
 * found, and no stream shall wait for that, nor for the garbage of what is made.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { RecordIdentity } from '../record.ts';
import { standBack } from '../stand-back.ts';
import { makeLine } from './make-line.ts';
import { type MakerAnswer, type MakerRequest, unpackJob } from './messages.ts';

standBack();
const identity = workerData as RecordIdentity;
parentPort?.on('message', ({ jobs, bytes }: MakerRequest) => {
  void Promise.all(jobs.map((job) => answer(job, bytes))).then((reply) => {
    const lines = reply.flatMap((each) => (each.kind === 'made' ? [each.line.buffer] : []));
    parentPort?.postMessage(reply, lines);
  });
});

async function answer(job: MakerRequest['jobs'][number], bytes: MakerRequest['bytes']): Promise<MakerAnswer> {
  const { ticket } = job;
  try {
    const { line, tokens } = await makeLine(unpackJob(job, bytes), identity);
    // In memory of its own, as it is given away.
    return { ticket, kind: 'made', line: new Uint8Array(line), ...(tokens && { tokens }) };
  } catch (error) {
    return { ticket, kind: 'failed', message: String(error) };
  }
}
