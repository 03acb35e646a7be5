import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CompiledToolLoop } from '#contract/compiled-tool-loop.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { AnswerBody } from '../stream/answer-body.ts';
import { checkTool } from './checked-tool.ts';
import { runToolLoop, type ToolLoopOptions } from './loop.ts';
import { textResult } from './tool.ts';

const LOOP: CompiledToolLoop = {
  mcpServers: [],
  http: [],
  progress: 'none',
  calls: 'hidden',
  maxRounds: 5,
  maxParallel: 1,
  callTimeoutMs: 60_000,
  maxDurationMs: 60_000,
  maxResultBytes: 10,
};

function sse(...events: { type: string; [field: string]: unknown }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}

const USAGE = { input_tokens: 1, output_tokens: 1 };
const START = { type: 'message_start', message: { id: 'm', role: 'assistant', content: [], usage: USAGE } };
const STOP = { type: 'message_stop' };
const CALLING = sse(
  START,
  { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 't', name: 'search', input: {} } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 2 } },
  STOP,
);
const DONE = sse(
  START,
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } },
  STOP,
);

interface Turn {
  readonly answer: UpstreamAnswer;
  readonly flow: string[];
}

function turn(text: string | undefined, idleMs = 0): Turn {
  const flow: string[] = [];
  const body = new AnswerBody({
    pause: () => flow.push('pause'),
    resume: () => flow.push('resume'),
    abort: () => flow.push('abort'),
  });
  if (text !== undefined) {
    body.push(Buffer.from(text));
    body.finish([]);
  }
  const rawHeaders = ['content-type', 'text/event-stream', 'content-length', '5'];
  const upstream = { name: 'u', timeouts: { idleMs } };
  return { flow, answer: { status: 200, statusMessage: '', rawHeaders, body, upstream } as unknown as UpstreamAnswer };
}

/** A loop with one tool, and what came of it. */
async function run(
  turns: readonly Turn[],
  call: (signal: AbortSignal) => Promise<string>,
  more: Partial<ToolLoopOptions> = {},
): Promise<{ answer: UpstreamAnswer; ended: Promise<string>; counted: string[]; sent: string[] }> {
  const schema = { type: 'object' };
  const search = { name: 'search', description: 'd', inputSchema: schema };
  const tool = await checkTool({ ...search, call: async (_args, signal) => textResult(await call(signal)) });
  const counted: string[] = [];
  const sent: string[] = [];
  const ended = Promise.withResolvers<string>();
  const answer = await runToolLoop({
    form: 'messages',
    body: { model: 'm', stream: true, messages: [] },
    toolLoop: LOOP,
    toolbox: { tools: () => Promise.resolve(new Map([['search', tool]])) },
    signal: new AbortController().signal,
    exchangeId: 'x',
    meters: {
      toolCalled: (_tool, outcome) => counted.push(outcome),
      toolShadowed: () => {},
      toolLoopEnded: (end, rounds) => ended.resolve(`${end} ${rounds}`),
    },
    turn: (body) => {
      sent.push(body.toString());
      return Promise.resolve(turns[sent.length - 1]?.answer ?? assert.fail('one turn too many'));
    },
    ...more,
  });
  return { answer, ended: ended.promise, counted, sent };
}

/** Takes a body; resolves with its text and how it ended. */
function taken({ body }: UpstreamAnswer): Promise<{ text: string; end: string }> {
  let text = '';
  return new Promise((resolve) => {
    body.consume({
      chunk: (bytes) => {
        text += bytes.toString();
      },
      end: () => resolve({ text, end: 'end' }),
      cut: (cause) => resolve({ text, end: cause.message }),
    });
  });
}

test('who takes the answer can stop the loop: the tool that runs is told, and no turn follows', async () => {
  const called = Promise.withResolvers<AbortSignal>();
  const { answer, ended, counted } = await run([turn(CALLING)], (signal) => {
    called.resolve(signal);
    return new Promise(() => {});
  });
  void taken(answer);
  const signal = await called.promise;
  answer.body.abort(new Error('Exchange ended: idle'));
  assert.equal(signal.aborted, true);
  assert.equal(await ended, 'cancelled 1');
  assert.deepEqual(counted, ['cancelled']);
});

test('the client that takes no more lets the turn wait that is under way, and later ones too', async () => {
  const first = turn(undefined);
  const second = turn(undefined);
  const { answer } = await run([first, second], () => Promise.resolve('x'));
  const all = taken(answer);
  answer.body.pause();
  assert.deepEqual(first.flow, ['pause']);
  first.answer.body.push(Buffer.from(CALLING));
  first.answer.body.finish([]);
  while (second.flow.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(second.flow, ['pause']);
  answer.body.resume();
  assert.deepEqual(second.flow, ['pause', 'resume']);
  second.answer.body.push(Buffer.from(DONE));
  second.answer.body.finish([]);
  assert.match((await all).text, /"output_tokens":5[^\n]*\n\nevent: message_stop/);
});

test('while a tool runs the client is pinged often enough for the idle limit', async () => {
  const pinged = Promise.withResolvers<string>();
  const { answer } = await run([turn(CALLING, 60), turn(DONE)], () => pinged.promise);
  let text = '';
  answer.body.consume({
    chunk: (bytes) => {
      text += bytes.toString();
      if (text.includes('event: ping')) pinged.resolve('x');
    },
    end: () => {},
    cut: () => {},
  });
  await pinged.promise;
});

test('a result beyond the limit is cut, and said to be', async () => {
  const { answer, sent } = await run([turn(CALLING), turn(DONE)], () => Promise.resolve('0123456789ABC'));
  await taken(answer);
  assert.match(sent[1] ?? '', /"0123456789\\n\[cut: the result exceeds the limit of 10 bytes\]"/);
});

test('a budget can end the loop before another turn, and headers of a length that is no more true are gone', async () => {
  const overBudget = (): string => 'The budget of team "a" is spent';
  const { answer, ended } = await run([turn(CALLING)], () => Promise.resolve('x'), { overBudget });
  assert.deepEqual(answer.rawHeaders, ['content-type', 'text/event-stream']);
  assert.equal(answer.dialect, 'anthropic');
  const { text, end } = await taken(answer);
  assert.match(text, /event: error\ndata: [^\n]*The budget of team \\"a\\" is spent/);
  assert.deepEqual([end, await ended], ['end', 'budget 1']);
});

test('a body that breaks off ends ours as broken, with last words for the client', async () => {
  const first = turn(undefined);
  const { answer, ended } = await run([first], () => Promise.resolve('x'));
  const all = taken(answer);
  first.answer.body.push(Buffer.from(sse(START)));
  first.answer.body.fail(new Error('ECONNRESET'));
  assert.equal((await all).end, 'ECONNRESET');
  assert.equal(await ended, 'upstream 1');
  assert.match(String(answer.body.farewell?.('it broke')), /^event: error\ndata: .*Sluice: it broke/);
});
