/** The spool's thread as its owner sees it: started, asked, and started again when it ended unasked. */
import { Worker } from 'node:worker_threads';
import type { SpoolReply, SpoolRequest } from './messages.ts';

export interface SpoolThreadEvents {
  readonly reply: (reply: SpoolReply) => void;
  /** It runs, for the first time or again: what it must know has to be said now. */
  readonly started: () => void;
  /** It ended unasked; it is started again by itself. */
  readonly ended: (error: unknown) => void;
}

/** In a bundle the worker lies beside it under this name; as sources it is a file of this folder. */
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './spool-worker.mjs', import.meta.url);

const RESTART_FIRST_MS = 500;
const RESTART_LAST_MS = 30_000;
/** A thread that ran for so long was well. */
const WELL_MS = 60_000;
/** Beyond this the thread ends and is started again, where otherwise the process would be killed with every stream in it. */
const HEAP_MIB = 256;

export class SpoolThread {
  readonly #stateDirectory: string;
  readonly #events: SpoolThreadEvents;
  #worker: Worker | undefined;
  #restartMs = RESTART_FIRST_MS;
  #restart: NodeJS.Timeout | undefined;
  #greeted = false;
  #closed = false;

  constructor(stateDirectory: string, events: SpoolThreadEvents) {
    this.#stateDirectory = stateDirectory;
    this.#events = events;
    this.#start();
  }

  /** Whether it runs and was told what it must know. */
  get running(): boolean {
    return this.#worker !== undefined && this.#greeted;
  }

  /** Lost when it does not run. @param transfer given away */
  post(request: SpoolRequest, transfer: readonly ArrayBuffer[] = []): void {
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
    let worker: Worker;
    try {
      worker = new Worker(WORKER_URL, {
        workerData: { stateDirectory: this.#stateDirectory },
        resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
      });
    } catch (error) {
      this.#again(error);
      return;
    }
    worker.unref();
    const startedAt = performance.now();
    let failure: unknown = new Error('The spool thread ended');
    worker.on('message', (reply: SpoolReply) => {
      if (this.#worker === worker) this.#events.reply(reply);
    });
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#greeted = false;
      if (performance.now() - startedAt > WELL_MS) this.#restartMs = RESTART_FIRST_MS;
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
    this.#restartMs = Math.min(2 * this.#restartMs, RESTART_LAST_MS);
    this.#events.ended(error);
  }
}
