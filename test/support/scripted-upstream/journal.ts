/** What the scripted upstream saw and sent, for tests to read: requests, answers with the hash of their bytes, gates, queued scenarios. */
import { createHash, type Hash } from 'node:crypto';

/** Most entries kept of each kind; the oldest go first. */
const MOST_ENTRIES = 2000;

export interface SeenRequest {
  /** Id of its answer. */
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** Names as they came, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly bodySha256: string;
  readonly bodyBytes: number;
}

export type AnswerEnd = 'open' | 'complete' | 'cut' | 'closed' | 'error' | 'client_gone';

/** One answer while and after it is sent. */
export class AnswerLog {
  readonly id: string;
  status = 0;
  events = 0;
  bytes = 0;
  end: AnswerEnd = 'open';
  readonly #hash: Hash = createHash('sha256');

  constructor(id: string) {
    this.id = id;
  }

  /** Notes body bytes that were handed to the socket. */
  sent(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.bytes += chunk.byteLength;
  }

  toJSON(): object {
    const { id, status, events, bytes, end } = this;
    return { id, status, events, bytes, sha256: this.#hash.copy().digest('hex'), end };
  }
}

export class Journal {
  readonly requests: SeenRequest[] = [];
  readonly answers = new Map<string, AnswerLog>();
  /** Since the start or the last reset. */
  exchanges = 0;
  #lastId = 0;
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  #next: { scenario: string; times: number }[] = [];

  /** Notes a request. @returns the log of its answer */
  open(request: Omit<SeenRequest, 'id'>): AnswerLog {
    this.exchanges += 1;
    this.#lastId += 1;
    const answer = new AnswerLog(`req_scripted_${String(this.#lastId).padStart(6, '0')}`);
    this.requests.push({ id: answer.id, ...request });
    this.answers.set(answer.id, answer);
    if (this.requests.length > MOST_ENTRIES) this.requests.shift();
    const [oldest] = this.answers.keys();
    if (this.answers.size > MOST_ENTRIES && oldest !== undefined) this.answers.delete(oldest);
    return answer;
  }

  get openAnswers(): number {
    return [...this.answers.values()].filter((answer) => answer.end === 'open').length;
  }

  /** The promise that holds an answer; a gate released before anybody waits stays released. */
  gate(name: string): Promise<void> {
    return this.#gateOf(name).promise;
  }

  release(name: string): void {
    this.#gateOf(name).resolve();
  }

  /** Queues a scenario for the next exchanges, whatever they ask for. */
  queue(scenario: string, times: number): void {
    this.#next.push({ scenario, times });
  }

  takeQueued(): string | undefined {
    const [first] = this.#next;
    if (!first) return undefined;
    first.times -= 1;
    if (first.times <= 0) this.#next.shift();
    return first.scenario;
  }

  /** Forgets everything but the ids given out; held answers are released. */
  reset(): void {
    for (const gate of this.#gates.values()) gate.resolve();
    this.#gates.clear();
    this.#next = [];
    this.exchanges = 0;
    this.requests.length = 0;
    this.answers.clear();
  }

  #gateOf(name: string): PromiseWithResolvers<void> {
    const gate = this.#gates.get(name) ?? Promise.withResolvers<void>();
    this.#gates.set(name, gate);
    return gate;
  }
}
