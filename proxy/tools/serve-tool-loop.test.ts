import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CompiledToolLoop } from '#contract/compiled-tool-loop.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { ProxyError } from '../errors.ts';
import type { MatchedRequest } from '../route/read-request.ts';
import { WholeBody } from '../route/whole-body.ts';
import { AnswerBody } from '../stream/answer-body.ts';
import { serveToolLoop, toolLoopOf } from './serve-tool-loop.ts';

const LOOP: CompiledToolLoop = {
  mcpServers: [],
  http: [],
  progress: 'none',
  calls: 'hidden',
  maxRounds: 3,
  maxParallel: 1,
  callTimeoutMs: 1000,
  maxDurationMs: 10_000,
  maxResultBytes: 1000,
};

function request(
  method: string,
  path: string,
  body: string,
  toolLoop: CompiledToolLoop | undefined = LOOP,
): MatchedRequest {
  const incoming = { head: { method, id: 'x' }, path, signal: AbortSignal.timeout(10_000) };
  const route = { name: 'all', toolLoop };
  return { incoming, route, facts: {}, body: new WholeBody(Buffer.from(body)) } as unknown as MatchedRequest;
}

function answer(text: string): UpstreamAnswer {
  const body = new AnswerBody({ pause: () => {}, resume: () => {}, abort: () => {} });
  body.push(Buffer.from(text));
  body.finish([]);
  const rawHeaders = ['content-type', 'application/json'];
  return { status: 200, statusMessage: '', rawHeaders, body, upstream: { name: 'u' } } as unknown as UpstreamAnswer;
}

const SERVICES = {
  toolboxes: { get: () => ({ tools: () => Promise.resolve(new Map()) }) } as never,
  meters: { toolCalled: () => {}, toolShadowed: () => {}, toolLoopEnded: () => {} },
  credentials: new Map<string, string>(),
};

test('toolLoopOf() serves the two paths, POST alone, where the route has one', () => {
  assert.equal(toolLoopOf(request('POST', '/v1/messages', '{}'))?.form, 'messages');
  assert.equal(toolLoopOf(request('POST', '/v1/chat/completions', '{}'))?.form, 'chat');
  for (const [method, path] of [
    ['GET', '/v1/messages'],
    ['POST', '/v1/messages/count_tokens'],
    ['POST', '/v1/responses'],
  ] as const) {
    assert.equal(toolLoopOf(request(method, path, '{}')), undefined);
  }
  const without = request('POST', '/v1/messages', '{}');
  assert.equal(toolLoopOf({ ...without, route: { ...without.route, toolLoop: undefined } as never }), undefined);
});

test('each turn is the matched request with a body and a signal of its own', async () => {
  const matched = request('POST', '/v1/messages', '{"model":"m","messages":[]}');
  const turns: MatchedRequest[] = [];
  const served = await serveToolLoop(
    matched,
    { toolLoop: LOOP, form: 'messages' },
    {
      ...SERVICES,
      turn: (turn) => {
        turns.push(turn);
        return Promise.resolve(answer('{"content":[],"usage":{}}'));
      },
    },
  );
  assert.equal(served.status, 200);
  const [turn] = turns;
  const sent = turn?.body.send('other');
  assert.equal(sent?.kind === 'whole' && sent.bytes.toString(), '{"model":"other","messages":[]}');
  assert.equal(turn?.route, matched.route);
  assert.notEqual(turn?.incoming.signal, matched.incoming.signal);
});

test('a body that is no JSON object is refused before anything is sent', async () => {
  for (const body of ['[]', '{"model":', '']) {
    const served = serveToolLoop(
      request('POST', '/v1/messages', body),
      { toolLoop: LOOP, form: 'messages' },
      {
        ...SERVICES,
        turn: () => assert.fail('a turn began'),
      },
    );
    await assert.rejects(served, (error) => error instanceof ProxyError && error.kind === 'bad_request');
  }
});

test('a body that nests deeper than the stack could hold is refused, with how deep it may', async () => {
  const deep = `{"model":"m","messages":[{"role":"user","content":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`;
  for (const form of ['messages', 'chat'] as const) {
    const served = serveToolLoop(
      request('POST', '/v1/messages', deep),
      { toolLoop: LOOP, form },
      { ...SERVICES, turn: () => assert.fail('a turn began') },
    );
    await assert.rejects(served, { kind: 'bad_request', message: /at most 500 levels deep to route "all"/ });
  }
});
