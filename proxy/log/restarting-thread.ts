/** A worker thread of the log as its owner sees it: started, asked, heard, and started again when it ended unasked. */
import { Worker } from 'node:worker_threads';
import { epochOffsetMs } from './steady-clock.ts';

export interface ThreadEvents<Reply> {
  readonly reply: (reply: Reply) => void;
  /** It runs, for the first time or again: what it must know has to be said now. */
  readonly started: () => void;
  /** It ended unasked; it is started again by itself. */
  readonly ended: (error: unknown) => void;
}

export interface ThreadOptions {
  /** The worker's program. */
  readonly url: URL;
  readonly stateDirectory: string;
  /** Pause before it is started again for the first time; doubled each time. @default 500 */
  readonly restartFirstMs?: number;
  /** Longest pause before it is started again. */
  readonly restartLastMs: number;
  /** Must have happened before it starts; absent: it starts at once. */
  readonly after?: Promise<void>;
}

const RESTART_FIRST_MS = 500;
/** A thread that ran for so long was well. */
const WELL_MS = 60_000;
/** Beyond this the thread ends and is started again, where otherwise the process would be killed with every stream in it. */
const HEAP_MIB = 256;

export class RestartingThread<Request, Reply> {
  readonly #options: ThreadOptions;
  readonly #events: ThreadEvents<Reply>;
  #worker: Worker | undefined;
  #restartMs: number;
  #restart: NodeJS.Timeout | undefined;
  #greeted = false;
  #closed = false;

  constructor(options: ThreadOptions, events: ThreadEvents<Reply>) {
    this.#options = options;
    this.#restartMs = options.restartFirstMs ?? RESTART_FIRST_MS;
    this.#events = events;
    if (options.after === undefined) this.#start();
    else void options.after.then(() => this.#start());
  }

  /** Whether it runs and was told what it must know. */
  get running(): boolean {
    return this.#worker !== undefined && this.#greeted;
  }

  /** Lost when it does not run. @param transfer given away */
  post(request: Request, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker?.postMessage(request, [...transfer]);
  }

  /** From now on the process stays alive for it. */
  hold(): void {
    this.#worker?.ref();
  }

  async terminate(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): void {
    if (this.#closed) return;
    const { stateDirectory, url } = this.#options;
    let worker: Worker;
    try {
      worker = new Worker(url, {
        workerData: { stateDirectory, epochOffsetMs },
        resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
      });
    } catch (error) {
      this.#again(error);
      return;
    }
    worker.unref();
    const startedAt = performance.now();
    let failure: unknown = new Error('The thread ended');
    worker.on('message', (reply: Reply) => {
      if (this.#worker === worker) this.#events.reply(reply);
    });
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#greeted = false;
      if (performance.now() - startedAt > WELL_MS) this.#restartMs = this.#options.restartFirstMs ?? RESTART_FIRST_MS;
      this.#again(failure);
    });
    this.#worker = worker;
    // Not before the owner holds this object.
    queueMicrotask(() => {
      if (this.#worker !== worker) return;
      this.#greeted = true;
      this.#events.started();
    });
  }

  #again(error: unknown): void {
    if (this.#closed) return;
    this.#restart = setTimeout(() => this.#start(), this.#restartMs).unref();
    this.#restartMs = Math.min(2 * this.#restartMs, this.#options.restartLastMs);
    this.#events.ended(error);
  }
}
