import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translationContext } from '../../../test/support/translate/golden-case.ts';
import { flavorOf } from '../flavors.ts';
import { UNSIGNED } from '../wire/messages.ts';
import { messagesAnswer } from './answer.ts';
import { callId } from './call-id.ts';
import { failureStatus, streamError } from './error.ts';
import { messageEnd } from './stop-reason.ts';
import { usageOf } from './usage.ts';

test('answer: what is no whole answer is an error', () => {
  const call = (args: string) => ({ content: null, tool_calls: [{ function: { name: 'now', arguments: args } }] });
  const bad: [object, RegExp][] = [
    [{}, /without a message/],
    [{ choices: [] }, /without a message/],
    [{ choices: [{ message: { content: 'Hi' }, finish_reason: 'error' }] }, /broke off/],
    [{ choices: [{ message: { tool_calls: [{ function: {} }] }, finish_reason: 'tool_calls' }] }, /no name/],
    [{ choices: [{ message: call('{"a":'), finish_reason: 'tool_calls' }] }, /no JSON object/],
    [{ choices: [{ message: call('[1]'), finish_reason: 'stop' }] }, /no JSON object/],
  ];
  for (const [body, message] of bad)
    assert.throws(() => messagesAnswer(body as never, translationContext()), { message }, JSON.stringify(body));
});

test('answer: an error in the place of an answer has the status that it names', () => {
  const inChoice = { message: { content: 'Hel' }, finish_reason: 'error', error: { code: 503, message: 'Gone' } };
  const bad: [object, number | undefined][] = [
    [{ error: { code: 429, message: 'Slow down' } }, 429],
    [{ error: { code: '402', message: 'Pay' } }, 402],
    [{ error: 'no' }, 502],
    [{ choices: [inChoice] }, 503],
    [{ error: null, choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] }, undefined],
  ];
  for (const [body, status] of bad) assert.equal(failureStatus(body as never), status, JSON.stringify(body));
});

test('answer: reasoning comes once and first, with the mark of what nobody signed', () => {
  const message = { content: 'Hi', reasoning: 'Hm', reasoning_content: 'Hm' };
  const { content } = messagesAnswer({ choices: [{ message, finish_reason: 'stop' }] }, translationContext());
  assert.deepEqual(content, [
    { type: 'thinking', thinking: 'Hm', signature: UNSIGNED },
    { type: 'text', text: 'Hi' },
  ]);
});

test('stop reason: every reason, with and without calls, refusal and stop sequence', () => {
  const reason = (told: string | undefined, calls = 0, refused = false, stopSequence?: string) => {
    const end = messageEnd({ reason: told, stopSequence }, calls, refused);
    return end.stop_sequence === null ? end.stop_reason : `${end.stop_reason} ${end.stop_sequence}`;
  };
  assert.equal(reason('stop'), 'end_turn');
  assert.equal(reason('stop', 1), 'tool_use');
  assert.equal(reason('stop', 0, true), 'refusal');
  assert.equal(reason('stop', 0, false, 'END'), 'stop_sequence END');
  assert.equal(reason('length'), 'max_tokens');
  assert.equal(reason('length', 1), 'max_tokens');
  assert.equal(reason('model_length'), 'model_context_window_exceeded');
  assert.equal(reason('tool_calls', 1), 'tool_use');
  assert.equal(reason('tool_calls', 0), 'end_turn');
  assert.equal(reason('function_call', 1), 'tool_use');
  assert.equal(reason('content_filter'), 'refusal');
  assert.equal(reason('content_filter', 1), 'refusal');
  assert.equal(reason(undefined), 'end_turn');
  assert.equal(reason('unheard_of', 1), 'tool_use');
});

test('usage: input excludes what came from the cache or went into it, wherever it is told', () => {
  const usage = (counts: object) => {
    const found = usageOf({ usage: counts } as never);
    return found && Object.values(found).filter((value) => typeof value === 'number');
  };
  const base = { prompt_tokens: 100, completion_tokens: 7 };
  // input, written, read, output
  assert.deepEqual(usage(base), [100, 0, 0, 7]);
  assert.deepEqual(usage({ ...base, prompt_tokens_details: { cached_tokens: 60 } }), [40, 0, 60, 7]);
  assert.deepEqual(
    usage({ ...base, prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 } }),
    [10, 30, 60, 7],
  );
  assert.deepEqual(usage({ ...base, prompt_tokens_details: null, prompt_cache_hit_tokens: 64 }), [36, 0, 64, 7]);
  assert.deepEqual(usage({ ...base, prompt_tokens_details: { cached_tokens: 400 } }), [0, 0, 100, 7]);
  assert.deepEqual(usage({ prompt_tokens: null, completion_tokens: '7' }), [0, 0, 0, 0]);
  assert.deepEqual(usageOf({ usage: null, x_groq: { usage: base } } as never)?.input_tokens, 100);
  assert.equal(usageOf({ usage: null } as never), undefined);
});

test('usage: reasoning counts once, be it told inside or beside the completion', () => {
  const counts = (completion: number, total: number) => ({
    usage: {
      prompt_tokens: 10,
      completion_tokens: completion,
      total_tokens: total,
      completion_tokens_details: { reasoning_tokens: 40 },
    },
  });
  assert.equal(usageOf(counts(50, 60))?.output_tokens, 50);
  assert.equal(usageOf(counts(10, 60))?.output_tokens, 50);
});

test('error: those inside streams get the type that clients act upon', () => {
  const type = (error: object | string) => streamError(error as never).type;
  assert.equal(type({ message: 'x', type: 'server_error', code: null }), 'api_error');
  assert.equal(type({ message: 'x', type: 'server_error', code: 503 }), 'overloaded_error');
  assert.equal(type({ message: 'x', type: 'tokens', code: 'rate_limit_exceeded' }), 'rate_limit_error');
  assert.equal(type({ message: 'x', type: 'BadRequestError', code: 400 }), 'invalid_request_error');
  assert.equal(type({ message: 'x', type: 'overloaded_error' }), 'overloaded_error');
  assert.equal(type('over capacity'), 'api_error');
  assert.equal(streamError('over capacity').message, 'over capacity');
});

test('call ids: kept where they are allowed, else always the same replacement', () => {
  const id = 'toolu_01VpEm654HvfMoRcrE3Hgdc6';
  assert.equal(callId(id, flavorOf('openai')), id);
  assert.equal(callId(id.repeat(2), flavorOf('vllm')), id.repeat(2));
  assert.match(callId(id.repeat(2), flavorOf('openai')), /^[A-Za-z0-9]{40}$/);
  assert.match(callId(id, flavorOf('mistral')), /^[A-Za-z0-9]{9}$/);
  assert.equal(callId(id, flavorOf('mistral')), callId(id, flavorOf('mistral')));
  assert.notEqual(callId(`${id}7`, flavorOf('mistral')), callId(id, flavorOf('mistral')));
  assert.equal(callId('D681PevKs', flavorOf('mistral')), 'D681PevKs');
});
