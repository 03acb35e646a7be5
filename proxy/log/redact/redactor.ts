/** Runs pattern redaction in a worker thread, which starts with the first text and ends with the log. */
import { Worker } from 'node:worker_threads';
import { type PatternsResult, replacePatterns } from './patterns.ts';
import type { WorkerJob, WorkerReply } from './worker.ts';

interface Ticket {
  readonly texts: readonly string[];
  readonly patterns: readonly string[];
  readonly resolve: (result: PatternsResult) => void;
  readonly reject: (error: unknown) => void;
}

/** In a bundle the worker lies beside it under this name; as sources it is a file of this folder. */
const WORKER_URL = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './redact-worker.mjs', import.meta.url);

/** What comes so soon after texts that left gathers for the next message: each message wakes two threads. */
const GATHER_MS = 250;
/** With so many under way nobody waits for more. Half of what the writer has in hand, so that it never comes to a stop. */
const MOST_UNDER_WAY = 16;

export class PatternRedactor {
  readonly #tickets = new Map<number, Ticket>();
  /** Not with the worker yet. */
  #gathered: WorkerJob[] = [];
  #gathering: NodeJS.Timeout | undefined;
  #postedAtMs = Number.NEGATIVE_INFINITY;
  readonly #onFailure: (error: unknown) => void;
  #worker: Worker | undefined;
  #next = 0;
  #hurried = false;
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
      this.#gathered.push({ ticket, texts, patterns });
      const restMs = this.#postedAtMs + GATHER_MS - performance.now();
      if (restMs <= 0 || this.#hurried || this.#tickets.size >= MOST_UNDER_WAY) this.#post();
      else this.#gathering ??= setTimeout(() => this.#post(), restMs);
    });
  }

  /** From now on nothing waits for more. */
  hurry(): void {
    this.#hurried = true;
    if (this.#gathered.length > 0) this.#post();
  }

  async close(): Promise<void> {
    clearTimeout(this.#gathering);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #post(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#postedAtMs = performance.now();
    const jobs = this.#gathered;
    this.#gathered = [];
    if (this.#broken) return;
    try {
      this.#started().postMessage(jobs);
    } catch (error) {
      this.#break(error);
    }
  }

  /** @param texts those that were changed, at their places */
  #answer({ ticket: number, texts, count }: WorkerReply[number]): void {
    const ticket = this.#tickets.get(number);
    this.#tickets.delete(number);
    ticket?.resolve({ texts: ticket.texts.map((text, index) => texts[index] ?? text), count });
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(WORKER_URL);
    worker.unref();
    worker.on('message', (reply: WorkerReply) => {
      const results = reply.values();
      // One a turn: what becomes of each takes time, and streams have their turns in between.
      const next = (): void => {
        const { value } = results.next();
        if (value === undefined) return;
        this.#answer(value);
        setImmediate(next);
      };
      next();
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
