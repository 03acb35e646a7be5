/** The loop for a client that reads a stream: the turns' text as it comes, progress between them, one end. */

import type { Dialect } from '#contract/dialect.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { isEventStream } from '../dispatch/headers.ts';
import { ProxyError } from '../errors.ts';
import { errorBody } from '../listen/error-body.ts';
import { filterHeaders } from '../listen/raw-headers.ts';
import { AnswerBody } from '../stream/answer-body.ts';
import { SseEventReader } from '../translate/sse.ts';
import type { FinishedTurn, LoopDialect, LoopStream, LoopStreamOptions } from './dialect.ts';
import { executing, running, starting, thinking } from './progress.ts';
import { readTurn, readWhole, TurnCut } from './read-turn.ts';
import { LoopLimit, type NextStep, type Rounds } from './rounds.ts';

/** Clients' watchdogs and the proxies on the way take 15 to 30 seconds of silence for death. */
const KEEP_ALIVE_MS = 10_000;
const MOST_ERROR_BYTES = 64 * 1024;
/** Longest turn: the next request repeats it, so that it is kept. */
const MOST_TURN_BYTES = 64 * 1024 ** 2;
/** An upstream's sign of life is the client's as well. */
const COMMENT = ': keep-alive\n\n';

export interface StreamLoopOptions {
  readonly rounds: Rounds;
  readonly dialect: LoopDialect;
  readonly clientDialect: Dialect;
  readonly exchangeId: string;
  readonly showsCalls: boolean;
  readonly stream: Omit<LoopStreamOptions, 'opening'>;
}

export class StreamLoop {
  readonly #options: StreamLoopOptions;
  readonly #stream: LoopStream;
  readonly #body: AnswerBody;
  #current: UpstreamAnswer;
  #paused = false;

  constructor(first: UpstreamAnswer, options: StreamLoopOptions) {
    this.#options = options;
    this.#current = first;
    const { dialect, rounds, stream } = options;
    this.#stream = dialect.openStream({ ...stream, opening: stream.progress === 'none' ? '' : starting() });
    const flow = {
      pause: () => {
        this.#paused = true;
        this.#current.body.pause();
      },
      resume: () => {
        this.#paused = false;
        this.#current.body.resume();
      },
      abort: (reason: Error) => rounds.abort(reason),
    };
    this.#body = new AnswerBody(flow, (reason) => Buffer.from(this.#errorEvent(reason)));
  }

  /** The client's answer; its body fills from now on. */
  start(): UpstreamAnswer {
    const first = this.#current;
    const { clientDialect } = this.#options;
    void this.#run();
    const rawHeaders = filterHeaders(
      first.rawHeaders,
      (name) => name !== 'content-length' && name !== 'content-encoding',
    );
    return { ...first, dialect: clientDialect, rawHeaders, body: this.#body };
  }

  /** Never rejects: however it ends, the body ends with it. */
  async #run(): Promise<void> {
    const { rounds } = this.#options;
    try {
      for (;;) {
        const turn = await this.#readTurn();
        const step = turn === undefined ? 'handOver' : rounds.next(turn);
        if (turn === undefined || step === 'handOver') break;
        const answer = await this.#between(turn, step);
        if (answer === undefined) break;
        this.#current = answer;
      }
      if (!this.#stream.failed) this.#push(this.#stream.finish());
      rounds.close('upstream');
      this.#body.finish([]);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @returns undefined when the turn ended in an error event, which the client has */
  async #readTurn(): Promise<FinishedTurn | undefined> {
    const { signal } = this.#options.rounds;
    let out = '';
    const reader = new SseEventReader(
      ({ name = '', data }) => {
        if (!this.#stream.failed) out += this.#event(name, data);
      },
      () => {
        out += COMMENT;
      },
    );
    const feed = (work: () => void): void => {
      out = '';
      try {
        work();
      } finally {
        this.#push(out);
      }
      if (reader.overflown) throw new TurnCut('an event is too long');
    };
    if (this.#paused) this.#current.body.pause();
    let size = 0;
    const take = (bytes: Buffer): void => {
      size += bytes.length;
      if (size > MOST_TURN_BYTES) throw new TurnCut(`longer than ${MOST_TURN_BYTES} bytes`);
      feed(() => reader.push(bytes));
    };
    await readTurn(this.#current, take, signal);
    feed(() => reader.end());
    if (this.#stream.failed) return undefined;
    const turn = this.#stream.endTurn();
    if (turn === undefined) throw new TurnCut('ended without its terminal event');
    return turn;
  }

  #event(name: string, data: string): string {
    try {
      return this.#stream.event({ name, data });
    } catch (error) {
      // The error itself may quote what was sent.
      throw new TurnCut('an event cannot be read', error);
    }
  }

  /** Executes what the turn asked for. @returns the next turn's answer; undefined when none follows */
  async #between(turn: FinishedTurn, step: NextStep): Promise<UpstreamAnswer | undefined> {
    const { rounds, dialect, showsCalls } = this.#options;
    const alive = setInterval(() => {
      if (!this.#paused) this.#push(dialect.keepAlive);
    }, this.#keepAliveMs());
    try {
      if (showsCalls) this.#push(this.#stream.calls(turn.calls));
      this.#say(executing(turn.calls.map(({ name }) => name)));
      const results = await rounds.execute(turn, ({ name }, position) => {
        this.#say(running(name, position, turn.calls.length));
      });
      if (showsCalls) this.#push(this.#stream.results(turn.calls, results));
      if (step === 'executeAndHandOver') {
        rounds.close('client_tools');
        return undefined;
      }
      this.#say(thinking(rounds.round + 1));
      const answer = await rounds.turn();
      if (answer.status < 300 && isEventStream(answer.rawHeaders)) return answer;
      throw await this.#refusal(answer);
    } finally {
      clearInterval(alive);
    }
  }

  /** Often enough for the upstream's own idle limit, which watches our stream as any other. */
  #keepAliveMs(): number {
    const { idleMs } = this.#current.upstream.timeouts;
    return idleMs > 0 ? Math.min(KEEP_ALIVE_MS, idleMs / 3) : KEEP_ALIVE_MS;
  }

  async #refusal(answer: UpstreamAnswer): Promise<Error> {
    const { rounds } = this.#options;
    const bytes = await readWhole(answer, MOST_ERROR_BYTES, rounds.signal);
    return new Refused(answer, errorOf(bytes));
  }

  #fail(error: unknown): void {
    const { rounds, dialect } = this.#options;
    rounds.close(error instanceof LoopLimit ? error.end : 'upstream');
    if (error instanceof Refused) {
      const { json, message } = error;
      this.#push(json === undefined ? this.#errorEvent(message) : dialect.errorEvent(json));
      this.#body.finish([]);
    } else if (error instanceof ProxyError) {
      this.#push(this.#errorEvent(error.message));
      this.#body.finish([]);
    } else this.#body.fail(error instanceof Error ? error : new TurnCut('unknown'));
  }

  #errorEvent(message: string): string {
    const { clientDialect, exchangeId, dialect } = this.#options;
    return dialect.errorEvent(errorBody(clientDialect, { kind: 'tool_loop', status: 502, message, id: exchangeId }));
  }

  #say(text: string): void {
    this.#push(this.#stream.progress(text));
  }

  #push(text: string): void {
    if (text !== '') this.#body.push(Buffer.from(text));
  }
}

/** A later turn was refused by its upstream. */
class Refused extends Error {
  /** The upstream's own error, in the client's dialect. */
  readonly json: string | undefined;

  constructor({ upstream, status }: UpstreamAnswer, json: string | undefined) {
    super(`Upstream "${upstream.name}" answered ${status} in the middle of a tool loop`);
    this.json = json;
  }
}

function errorOf(bytes: Buffer): string | undefined {
  try {
    const value = JSON.parse(bytes.toString('utf8')) as { error?: unknown } | null;
    return typeof value?.error === 'object' ? JSON.stringify(value) : undefined;
  } catch {
    return undefined;
  }
}
