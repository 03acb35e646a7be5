/** Has records made in a worker thread, which starts with the first and ends with the log. */
import { Worker } from 'node:worker_threads';
import type { FactsSoFar } from '../exchange-facts.ts';
import type { RecordIdentity } from '../record.ts';
import { type MadeLine, makeLine } from './make-line.ts';
import { type MakerAnswer, type MakerReply, packedBytes, packJobs } from './messages.ts';

interface Ticket {
  readonly facts: FactsSoFar;
  readonly resolve: (made: MadeLine) => void;
  readonly reject: (error: unknown) => void;
}

export interface MakerThreadOptions {
  readonly identity: RecordIdentity;
  /** Told once when the worker cannot run; records are then made in this thread, slower for everybody. */
  readonly onFailure: (error: unknown) => void;
}

/** In a bundle the worker lies beside it under this name; as sources it is a file of this folder. */
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './record-worker.mjs', import.meta.url);

/** What comes so soon after others that left gathers for the next message: each message wakes two threads. */
const GATHER_MS = 250;
/** So many leave at once: far fewer than the writer has in hand, so that it never comes to a stop. */
const MOST_GATHERED = 16;
/** Bodies are copied for a message, which streams wait for: this takes some 0.1 ms. */
const MOST_GATHERED_BYTES = 1024 ** 2;

export class MakerThread {
  readonly #options: MakerThreadOptions;
  readonly #tickets = new Map<number, Ticket>();
  /** Those of them that are not with the worker yet. */
  #gathered = new Map<number, FactsSoFar>();
  #gatheredBytes = 0;
  #gathering: NodeJS.Timeout | undefined;
  #postedAtMs = Number.NEGATIVE_INFINITY;
  #worker: Worker | undefined;
  #next = 0;
  #hurried = false;
  #broken = false;

  constructor(options: MakerThreadOptions) {
    this.#options = options;
  }

  /** The captured bodies must stay as they are until the line is there. */
  make(facts: FactsSoFar): Promise<MadeLine> {
    if (this.#broken) return makeLine(facts, this.#options.identity);
    return new Promise((resolve, reject) => {
      const ticket = this.#next++;
      this.#tickets.set(ticket, { facts, resolve, reject });
      this.#gathered.set(ticket, facts);
      this.#gatheredBytes += packedBytes(facts);
      const restMs = this.#postedAtMs + GATHER_MS - performance.now();
      if (restMs <= 0 || this.#isEnough()) this.#post();
      else this.#gathering ??= setTimeout(() => this.#post(), restMs);
    });
  }

  /** From now on nothing waits for more. */
  hurry(): void {
    this.#hurried = true;
    if (this.#gathered.size > 0) this.#post();
  }

  async close(): Promise<void> {
    clearTimeout(this.#gathering);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #isEnough(): boolean {
    return this.#hurried || this.#gathered.size >= MOST_GATHERED || this.#gatheredBytes >= MOST_GATHERED_BYTES;
  }

  #post(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#postedAtMs = performance.now();
    const gathered = this.#gathered;
    this.#gathered = new Map();
    this.#gatheredBytes = 0;
    if (this.#broken) return;
    try {
      const request = packJobs(gathered);
      this.#started().postMessage(request, [request.bytes.buffer]);
    } catch (error) {
      this.#break(error);
    }
  }

  #answer(answer: MakerAnswer): void {
    const ticket = this.#tickets.get(answer.ticket);
    this.#tickets.delete(answer.ticket);
    if (answer.kind === 'failed') {
      ticket?.reject(new Error(answer.message));
      return;
    }
    const { line, tokens } = answer;
    ticket?.resolve({ line: Buffer.from(line.buffer), ...(tokens && { tokens }) });
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(WORKER_URL, { workerData: this.#options.identity });
    worker.unref();
    worker.on('message', (reply: MakerReply) => {
      const answers = reply.values();
      // One a turn: what becomes of each takes time, and streams have their turns in between.
      const next = (): void => {
        const { value } = answers.next();
        if (value === undefined) return;
        this.#answer(value);
        setImmediate(next);
      };
      next();
    });
    worker.on('error', (error) => this.#break(error));
    worker.on('exit', () => {
      if (this.#worker === worker || this.#tickets.size > 0)
        this.#break(new Error('The thread that makes records ended'));
    });
    this.#worker = worker;
    return worker;
  }

  /** What the worker still had is done here: no record is lost, or left unredacted, because a thread died. */
  #break(error: unknown): void {
    if (!this.#broken) this.#options.onFailure(error);
    this.#broken = true;
    this.#worker = undefined;
    for (const { facts, resolve, reject } of this.#tickets.values()) {
      makeLine(facts, this.#options.identity).then(resolve, reject);
    }
    this.#tickets.clear();
  }
}
