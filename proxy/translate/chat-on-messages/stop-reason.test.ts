import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finishReason, refusalOf } from './stop-reason.ts';

/** reason of the Messages API, with so many calls in the answer, is said as */
const REASONS = [
  ['end_turn', 0, 'stop'],
  ['stop_sequence', 0, 'stop'],
  ['pause_turn', 0, 'stop'],
  ['max_tokens', 0, 'length'],
  ['model_context_window_exceeded', 0, 'length'],
  ['refusal', 0, 'content_filter'],
  ['tool_use', 2, 'tool_calls'],
  // Upstreams that name the wrong reason made whole pipelines stop without an error.
  ['end_turn', 1, 'tool_calls'],
  ['tool_use', 0, 'stop'],
  // A call that was cut off must not be made.
  ['max_tokens', 1, 'length'],
  ['refusal', 1, 'content_filter'],
] as const;

for (const [reason, calls, finish] of REASONS)
  test(`finishReason() says ${finish} for ${reason} with ${calls} calls`, () => {
    assert.deepEqual(finishReason(reason, calls, false), { reason: finish, unknown: false });
  });

test('finishReason() tells reasons that nobody knows, and never fails', () => {
  assert.deepEqual(finishReason('bored', 0, false), { reason: 'stop', unknown: true });
  assert.deepEqual(finishReason('__proto__', 1, false), { reason: 'tool_calls', unknown: true });
  assert.deepEqual(finishReason(null, 0, false), { reason: 'stop', unknown: false });
  assert.deepEqual(finishReason(undefined, 1, true), { reason: 'function_call', unknown: false });
});

test('refusalOf() reads an explanation beside a refusal alone', () => {
  const stop_details = { type: 'refusal', explanation: 'No.' };
  assert.equal(refusalOf({ stop_reason: 'refusal', stop_details }), 'No.');
  assert.equal(refusalOf({ stop_reason: 'end_turn', stop_details }), undefined);
  assert.equal(refusalOf({ stop_reason: 'refusal', stop_details: null }), undefined);
});
