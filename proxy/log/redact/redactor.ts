/** Runs pattern redaction in a worker thread, which starts with the first text and ends with the log. */
import { Worker } from 'node:worker_threads';
import { type PatternsResult, replacePatterns } from './patterns.ts';
import type { WorkerReply, WorkerRequest } from './worker.ts';

interface Ticket {
  readonly texts: readonly string[];
  readonly patterns: readonly string[];
  readonly resolve: (result: PatternsResult) => void;
  readonly reject: (error: unknown) => void;
}

/** In a bundle the worker lies beside it under this name; as sources it is a file of this folder. */
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './redact-worker.mjs', import.meta.url);

export class PatternRedactor {
  readonly #tickets = new Map<number, Ticket>();
  readonly #onFailure: (error: unknown) => void;
  #worker: Worker | undefined;
  #next = 0;
  #broken = false;

  /** @param onFailure told once when the worker cannot run; redaction then goes on in this thread, slower for everybody */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  redact(texts: readonly string[], patterns: readonly string[]): Promise<PatternsResult> {
    if (patterns.length === 0 || texts.length === 0) return Promise.resolve({ texts, count: 0 });
    if (this.#broken) return replacePatterns(texts, patterns);
    return new Promise((resolve, reject) => {
      const ticket = this.#next++;
      this.#tickets.set(ticket, { texts, patterns, resolve, reject });
      const request: WorkerRequest = { ticket, texts, patterns };
      try {
        this.#started().postMessage(request);
      } catch (error) {
        this.#break(error);
      }
    });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(WORKER_URL);
    worker.unref();
    worker.on('message', ({ ticket, ...result }: WorkerReply) => {
      this.#tickets.get(ticket)?.resolve(result);
      this.#tickets.delete(ticket);
    });
    worker.on('error', (error) => this.#break(error));
    worker.on('exit', () => {
      if (this.#worker === worker || this.#tickets.size > 0) this.#break(new Error('The redaction worker ended'));
    });
    this.#worker = worker;
    return worker;
  }

  /** What the worker still had is done here: a text is never let through unredacted because a thread died. */
  #break(error: unknown): void {
    if (!this.#broken) this.#onFailure(error);
    this.#broken = true;
    this.#worker = undefined;
    for (const { texts, patterns, resolve, reject } of this.#tickets.values()) {
      replacePatterns(texts, patterns).then(resolve, reject);
    }
    this.#tickets.clear();
  }
}
