/** The archive's thread as its owner sees it: asked, heard, and started again when it ended unasked. */
import { Worker } from 'node:worker_threads';
import type { AuditReply, AuditRequest } from './messages.ts';

export interface ArchiveThreadEvents {
  readonly reply: (reply: AuditReply) => void;
  /** It runs, for the first time or again: what it must know has to be said now. */
  readonly started: () => void;
  /** It ended unasked; it is started again by itself. */
  readonly ended: (error: unknown) => void;
}

/** In a bundle the worker lies beside it under this name; as sources it is a file of this folder. */
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './audit-worker.mjs', import.meta.url);
const RESTART_FIRST_MS = 500;
const RESTART_LAST_MS = 60_000;
/** Beyond this the thread ends and is started again, where otherwise the process would be killed with every stream in it. */
const HEAP_MIB = 256;

export class ArchiveThread {
  readonly #stateDirectory: string;
  readonly #events: ArchiveThreadEvents;
  #worker: Worker | undefined;
  #restartMs = RESTART_FIRST_MS;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param after must have happened before it starts */
  constructor(stateDirectory: string, after: Promise<void>, events: ArchiveThreadEvents) {
    this.#stateDirectory = stateDirectory;
    this.#events = events;
    void after.then(() => this.#start());
  }

  get running(): boolean {
    return this.#worker !== undefined;
  }

  /** Lost when it does not run. @param transfer given away */
  post(request: AuditRequest, transfer: readonly ArrayBuffer[] = []): void {
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
    let failure: unknown = new Error('The thread ended');
    worker.on('message', (reply: AuditReply) => {
      if (this.#worker === worker) this.#events.reply(reply);
    });
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#again(failure);
    });
    this.#worker = worker;
    this.#events.started();
  }

  #again(error: unknown): void {
    this.#restart = setTimeout(() => this.#start(), this.#restartMs).unref();
    this.#restartMs = Math.min(2 * this.#restartMs, RESTART_LAST_MS);
    this.#events.ended(error);
  }
}
