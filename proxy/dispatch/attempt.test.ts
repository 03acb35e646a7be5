import assert from 'node:assert/strict';
import test, { mock } from 'node:test';
import type { Dispatcher } from 'undici';
import type { ValidUpstream } from '#contract/compiled.ts';
import { Interruption, ProxyError } from '../errors.ts';
import { attempt, type UpstreamAnswer } from './attempt.ts';

const UPSTREAM: ValidUpstream = {
  kind: 'valid',
  name: 'u',
  dialect: 'raw',
  origin: 'http://u',
  basePath: '',
  credentials: [],
  timeouts: { connectMs: 100, firstByteMs: 200, idleMs: 300, totalMs: 1000 },
  modelMap: [],
  translation: { flavor: 'openai', maxTokens: 8192, onLoss: 'warn' },
};

interface Scene {
  readonly handler: Required<Dispatcher.DispatchHandler>;
  readonly controller: Dispatcher.DispatchController;
  readonly aborted: Error[];
  readonly answer: Promise<UpstreamAnswer>;
  readonly stop: AbortController;
}

/** One attempt on a pool whose events the test raises itself. */
function scene(waitsForClient = false): Scene {
  const handlers: Dispatcher.DispatchHandler[] = [];
  const aborted: Error[] = [];
  const pool = { dispatch: (_options: unknown, handler: Dispatcher.DispatchHandler) => handlers.push(handler) > 0 };
  const controller = {
    rawHeaders: [Buffer.from('X-A'), Buffer.from('1')],
    abort: (reason: Error) => aborted.push(reason),
    pause: () => {},
    resume: () => {},
  };
  const stop = new AbortController();
  const request = { method: 'POST', path: '/', headers: [], body: null, waitsForClient: () => waitsForClient };
  const options = { signal: stop.signal, inform: () => {} };
  const answer = attempt({ ...pool, destroy: () => Promise.resolve() }, UPSTREAM, request, options);
  const [handler] = handlers;
  return {
    handler: handler as Required<Dispatcher.DispatchHandler>,
    controller: controller as unknown as Dispatcher.DispatchController,
    aborted,
    answer,
    stop,
  };
}

const kindOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof ProxyError ? error.message : (error as Interruption).kind),
  );

test('attempt() that was given up while connecting is aborted before its first byte leaves', async () => {
  const { answer, stop, handler, controller, aborted } = scene();
  stop.abort(new Interruption('client_gone'));
  assert.equal(await kindOf(answer), 'client_gone');
  handler.onRequestStart(controller, {});
  assert.deepEqual(aborted, [stop.signal.reason]);
});

test('attempt() has one limit for each phase', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const connecting = scene();
    mock.timers.tick(100);
    assert.match(await kindOf(connecting.answer), /timeouts\.connect of 100 ms/);

    const silent = scene();
    silent.handler.onRequestStart(silent.controller, {});
    mock.timers.tick(299);
    silent.handler.onRequestSent();
    mock.timers.tick(200);
    assert.match(await kindOf(silent.answer), /timeouts\.firstByte of 200 ms/);
    assert.equal(silent.aborted.length, 1);

    for (const client of [false, true]) {
      const stalled = scene(client);
      stalled.handler.onRequestStart(stalled.controller, {});
      mock.timers.tick(300);
      assert.match(await kindOf(stalled.answer), client ? /^client_stalled$/ : /timeouts\.idle of 300 ms/);
    }
  } finally {
    mock.timers.reset();
  }
});

test('attempt() tells a failed connect from a connection that broke', async () => {
  const refused = scene();
  refused.handler.onResponseError(refused.controller, Object.assign(new Error('x'), { code: 'ECONNREFUSED' }));
  assert.match(await kindOf(refused.answer), /cannot be reached: ECONNREFUSED; start it, or/);
  const broken = scene();
  broken.handler.onRequestStart(broken.controller, {});
  broken.handler.onResponseError(broken.controller, Object.assign(new Error('x'), { code: 'UND_ERR_SOCKET' }));
  assert.match(await kindOf(broken.answer), /closed the connection before it answered: socket closed/);
});

test('attempt() gives the answer as it came, and no limit of the phases holds for its body', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { answer, handler, controller } = scene();
    handler.onRequestStart(controller, {});
    handler.onRequestSent();
    handler.onResponseStart(controller, 103, {});
    handler.onResponseStart(controller, 200, {}, 'Fine');
    mock.timers.tick(5000);
    const { status, statusMessage, rawHeaders, body } = await answer;
    assert.deepEqual([status, statusMessage, rawHeaders, body.state], [200, 'Fine', ['X-A', '1'], 'open']);
  } finally {
    mock.timers.reset();
  }
});

for (const [sent, state] of [
  ['hello', 'ended'],
  ['hell', 'cut'],
] as const) {
  test(`attempt() takes a body of which ${sent.length} of 5 bytes came before the upstream closed as ${state}`, async () => {
    const { answer, handler, controller } = scene();
    handler.onRequestStart(controller, {});
    const rawHeaders = ['Content-Length', '5'].map((part) => Buffer.from(part));
    handler.onResponseStart({ ...controller, rawHeaders } as unknown as typeof controller, 200, {}, 'OK');
    handler.onResponseData(controller, Buffer.from(sent));
    handler.onResponseError(controller, Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }));
    assert.equal((await answer).body.state, state);
  });
}
