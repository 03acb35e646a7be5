/** The course of one loop: which request comes next, and whether one may: rounds, time, tokens, budget. Knows nothing of streams. */
import type { CompiledToolLoop } from '#contract/compiled-tool-loop.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { ProxyError } from '../errors.ts';
import { addUsage } from './add-usage.ts';
import type { CheckedTool } from './checked-tool.ts';
import type { FinishedTurn, LoopDialect } from './dialect.ts';
import { executeCalls } from './execute.ts';
import type { CallOutcome, Json, ToolCall, ToolCallReport, ToolResult } from './tool.ts';

/** How a loop ended. */
export type LoopEnd =
  /** The model ended on its own. */
  | 'answered'
  /** The model calls tools of the client. */
  | 'client_tools'
  /** A cap was reached. */
  | 'rounds'
  | 'duration'
  | 'tokens'
  | 'budget'
  /** A turn failed. */
  | 'upstream'
  /** The client left, or we stopped. */
  | 'cancelled';

export interface ToolLoopMeters {
  /** @param tool name of one of our tools; undefined: no tool has the name that the model used */
  toolCalled(tool: string | undefined, outcome: CallOutcome, ms: number): void;
  /** A tool of ours was not offered, as the client has one of that name. */
  toolShadowed(tool: string): void;
  toolLoopEnded(end: LoopEnd, rounds: number): void;
}

export type NextStep =
  /** Execute our calls, and ask the model again. */
  | 'executeAndAsk'
  /** Execute our calls; the client, which sees their results, executes its own. */
  | 'executeAndHandOver'
  /** The turn is the client's. */
  | 'handOver';

export interface RoundsOptions {
  /** The client sees calls and results, and sends them back. */
  readonly showsCalls: boolean;
  readonly toolLoop: CompiledToolLoop;
  readonly tools: ReadonlyMap<string, CheckedTool>;
  readonly dialect: LoopDialect;
  readonly meters: ToolLoopMeters;
  readonly signal: AbortSignal;
  /** One turn of the model, in the client's dialect. */
  turn(body: Buffer, signal: AbortSignal): Promise<UpstreamAnswer>;
  called?: ((report: ToolCallReport) => void) | undefined;
  /** Asked before each turn but the first. @returns why none may follow, as in `The budget of team "a" is spent` */
  overBudget?: ((usage: Json | undefined) => string | undefined) | undefined;
}

/** A cap of the loop was reached. */
export class LoopLimit extends ProxyError {
  readonly end: LoopEnd;

  constructor(end: LoopEnd, message: string) {
    super('tool_loop', message, { exhausted: true });
    this.end = end;
  }
}

export class Rounds {
  readonly #options: RoundsOptions;
  readonly #stop = new AbortController();
  readonly #deadline: NodeJS.Timeout;
  readonly signal: AbortSignal;
  #body: Json;
  #usage: Json | undefined;
  #ended = false;
  #cancelled = false;
  /** Turns begun so far. */
  round = 0;

  constructor(body: Json, options: RoundsOptions) {
    this.#options = options;
    this.#body = body;
    this.signal = AbortSignal.any([options.signal, this.#stop.signal]);
    const { maxDurationMs } = options.toolLoop;
    const late = new LoopLimit(
      'duration',
      `The tool loop passed its limit toolLoop.maxDuration of ${maxDurationMs} ms`,
    );
    this.#deadline = setTimeout(() => this.#stop.abort(late), maxDurationMs);
  }

  /** The next turn of the model. @throws ProxyError, the signal's reason */
  turn(): Promise<UpstreamAnswer> {
    this.signal.throwIfAborted();
    this.round += 1;
    return this.#options.turn(Buffer.from(JSON.stringify(this.#body)), this.signal);
  }

  /**
   * What follows a turn. Where the client's own tools are called as well, the turn is the client's: ours are not executed, and the
   * model asks for them again once it has the client's results; unless their results can go along.
   * @throws LoopLimit when another turn would follow, but a cap is reached
   */
  next(turn: FinishedTurn): NextStep {
    const { showsCalls } = this.#options;
    this.#usage = addUsage(this.#usage, turn.usage);
    if (turn.clientCalls > 0 && turn.settled && turn.calls.length > 0 && showsCalls) return 'executeAndHandOver';
    if (turn.calls.length === 0 || !turn.settled || turn.clientCalls > 0) {
      this.close(turn.clientCalls > 0 ? 'client_tools' : 'answered');
      return 'handOver';
    }
    this.#checkLimits();
    return 'executeAndAsk';
  }

  /** Executes the turn's calls and makes the next request of them. @returns the results, in the order of the calls. @throws the signal's reason */
  async execute(turn: FinishedTurn, started: (call: ToolCall, position: number) => void): Promise<ToolResult[]> {
    const { toolLoop, tools, dialect, meters, called } = this.#options;
    const results = await executeCalls(turn.calls, {
      tools,
      round: this.round,
      maxParallel: toolLoop.maxParallel,
      callTimeoutMs: toolLoop.callTimeoutMs,
      maxResultBytes: toolLoop.maxResultBytes,
      signal: this.signal,
      started,
      finished: (report) => {
        const { tool, outcome, startedAt, endedAt } = report;
        meters.toolCalled(tools.has(tool) ? tool : undefined, outcome, endedAt - startedAt);
        called?.(report);
      },
    });
    this.#body = dialect.nextRequest(this.#body, turn, results);
    return results;
  }

  /** Stops turns and tools. @param reason such as that the client left */
  abort(reason: Error): void {
    this.#cancelled = true;
    this.#stop.abort(reason);
  }

  /** Counts how it ended, once. */
  close(end: LoopEnd): void {
    clearTimeout(this.#deadline);
    if (this.#ended) return;
    this.#ended = true;
    const cancelled = this.#cancelled || this.#options.signal.aborted;
    this.#options.meters.toolLoopEnded(cancelled ? 'cancelled' : end, this.round);
  }

  #checkLimits(): void {
    const { toolLoop, dialect, overBudget } = this.#options;
    const { maxRounds, maxTokens } = toolLoop;
    if (this.round >= maxRounds) {
      throw new LoopLimit('rounds', `The tool loop reached its limit toolLoop.maxRounds of ${maxRounds}`);
    }
    if (maxTokens !== undefined && dialect.tokens(this.#usage) >= maxTokens) {
      throw new LoopLimit('tokens', `The tool loop reached its limit toolLoop.maxTokens of ${maxTokens}`);
    }
    const spent = overBudget?.(this.#usage);
    if (spent !== undefined) throw new LoopLimit('budget', spent);
  }
}
