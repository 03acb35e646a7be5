/** The loop for a client that waits for a whole answer: turn after turn, then one body. */
import type { Dialect } from '#contract/dialect.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { ProxyError } from '../errors.ts';
import { filterHeaders } from '../listen/raw-headers.ts';
import { AnswerBody } from '../stream/answer-body.ts';
import { errorCode } from '../unreachable.ts';
import type { FinishedTurn, IsOurs, LoopDialect, WholeTurn } from './dialect.ts';
import { readWhole } from './read-turn.ts';
import { LoopLimit, type Rounds } from './rounds.ts';
import { type Json, membersOf, type ToolCall, type ToolResult } from './tool.ts';

const MOST_ANSWER_BYTES = 64 * 1024 ** 2;

export interface WholeLoopOptions {
  readonly rounds: Rounds;
  readonly dialect: LoopDialect;
  readonly clientDialect: Dialect;
  readonly isOurs: IsOurs;
  readonly showsCalls: boolean;
}

/**
 * @param first with a status below 300
 * @throws ProxyError when the loop fails; an upstream's refusal of a later turn is returned as it came
 */
export async function wholeLoop(first: UpstreamAnswer, options: WholeLoopOptions): Promise<UpstreamAnswer> {
  const { rounds, dialect, isOurs, showsCalls } = options;
  const turns: WholeTurn[] = [];
  let answer = first;
  try {
    for (;;) {
      const bytes = await readWhole(answer, MOST_ANSWER_BYTES, rounds.signal);
      const json = membersOf(parse(bytes));
      const turn = readAnswer(dialect, json, isOurs);
      // Not of the dialect: not for us to judge.
      if (turn === undefined && turns.length === 0) return pass(answer, bytes, options);
      if (turn === undefined)
        throw new ProxyError('tool_loop', `Upstream "${answer.upstream.name}" sent no answer that can be read`, {
          exhausted: true,
        });
      const step = rounds.next(turn);
      const untouched = turns.length === 0 && turn.calls.length === 0;
      const results = step === 'handOver' ? [] : await rounds.execute(turn, () => {});
      turns.push({ answer: json, shown: showsCalls ? pair(turn.calls, results) : [] });
      if (step !== 'executeAndAsk') {
        rounds.close('client_tools');
        return pass(answer, untouched ? bytes : Buffer.from(JSON.stringify(dialect.assemble(turns, isOurs))), options);
      }
      answer = await rounds.turn();
      if (answer.status >= 300) return refused(answer);
    }
  } catch (error) {
    rounds.close(error instanceof LoopLimit ? error.end : 'upstream');
    if (error instanceof ProxyError || rounds.signal.aborted) throw error;
    const message = `Upstream "${answer.upstream.name}" broke off its answer: ${errorCode(error)}`;
    throw new ProxyError('upstream_broke', message, {
      upstream: answer.upstream.name,
      exhausted: turns.length > 0,
      cause: error,
    });
  } finally {
    rounds.close('upstream');
  }
}

function pair(calls: readonly ToolCall[], results: readonly ToolResult[]): WholeTurn['shown'] {
  return calls.flatMap((call, index) => {
    const result = results[index];
    return result === undefined ? [] : [{ call, result }];
  });
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function readAnswer(dialect: LoopDialect, json: Json, isOurs: IsOurs): FinishedTurn | undefined {
  try {
    return dialect.readAnswer(json, isOurs);
  } catch {
    return undefined;
  }
}

/** Bytes of ours in the place of the answer's own. */
function pass(answer: UpstreamAnswer, bytes: Buffer, { clientDialect }: WholeLoopOptions): UpstreamAnswer {
  const body = new AnswerBody({ pause: () => {}, resume: () => {}, abort: () => {} });
  body.push(bytes);
  body.finish([]);
  const kept = filterHeaders(answer.rawHeaders, (name) => name !== 'content-length' && name !== 'content-encoding');
  return { ...answer, dialect: clientDialect, rawHeaders: [...kept, 'content-length', String(bytes.length)], body };
}

/** Tools have run: another try of the client's would run them again. */
function refused(answer: UpstreamAnswer): UpstreamAnswer {
  const kept = filterHeaders(answer.rawHeaders, (name) => name !== 'x-should-retry');
  return { ...answer, rawHeaders: [...kept, 'x-should-retry', 'false'] };
}
