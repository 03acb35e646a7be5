/** Worker thread of pattern redaction: where much is found, it takes 0.1 s for a MiB and more, which no stream shall wait for. */
import { parentPort } from 'node:worker_threads';
import { replacePatterns } from './patterns.ts';

export interface WorkerRequest {
  readonly ticket: number;
  readonly texts: readonly string[];
  readonly patterns: readonly string[];
}

export interface WorkerReply {
  readonly ticket: number;
  readonly texts: readonly string[];
  readonly count: number;
}

parentPort?.on('message', ({ ticket, texts, patterns }: WorkerRequest) => {
  void replacePatterns(texts, patterns).then((result) => {
    const reply: WorkerReply = { ticket, ...result };
    parentPort?.postMessage(reply);
  });
});
