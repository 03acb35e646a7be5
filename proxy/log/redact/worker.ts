/** Worker thread of pattern redaction: where much is found, it takes 0.1 s for a MiB and more, which no stream shall wait for. */
import { parentPort } from 'node:worker_threads';
import { standBack } from '../stand-back.ts';
import { replacePatterns } from './patterns.ts';

export interface WorkerJob {
  readonly ticket: number;
  readonly texts: readonly string[];
  readonly patterns: readonly string[];
}

/** A text that stayed as it was is left out: to pass it between threads costs as much as to look through it. */
export type WorkerReply = readonly {
  readonly ticket: number;
  readonly texts: readonly (string | undefined)[];
  readonly count: number;
}[];

standBack();
parentPort?.on('message', (jobs: readonly WorkerJob[]) => {
  void Promise.all(jobs.map(done)).then((reply: WorkerReply) => parentPort?.postMessage(reply));
});

async function done({ ticket, texts, patterns }: WorkerJob): Promise<WorkerReply[number]> {
  const { texts: redacted, count } = await replacePatterns(texts, patterns);
  return { ticket, texts: redacted.map((text, index) => (text === texts[index] ? undefined : text)), count };
}
