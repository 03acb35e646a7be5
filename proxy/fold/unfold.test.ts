/** What was unfolded folds back into the same answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldStream } from './fold-stream.ts';
import { unfold } from './unfold.ts';

const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [
    { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' },
    { type: 'text', text: 'Grüezi 🌊' },
    { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Zürich' } },
  ],
  stop_reason: 'tool_use',
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 9 },
};
const COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [
    {
      index: 0,
      logprobs: null,
      message: {
        refusal: null,
        role: 'assistant',
        content: 'Grüezi 🌊',
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Zürich"}' } }],
      },
      finish_reason: 'tool_calls',
    },
  ],
  usage: { prompt_tokens: 3, completion_tokens: 9, total_tokens: 12 },
};

test('unfold() of a message folds back', () => {
  assert.deepEqual(foldStream('messages', unfold('messages', MESSAGE)), { answer: MESSAGE, whole: true });
});

test('unfold() of a refusal keeps what it says', () => {
  const refusal = {
    ...MESSAGE,
    content: [],
    stop_reason: 'refusal',
    stop_details: { type: 'refusal', explanation: 'No.' },
  };
  const events = unfold('messages', refusal);
  assert.deepEqual(foldStream('messages', events), { answer: refusal, whole: true });
  assert.match(events.toString(), /"type":"message_delta".*"explanation":"No\."/);
});

test('unfold() of a chat completion folds back', () => {
  const fold = foldStream('chat', unfold('chat', COMPLETION));
  assert.equal(fold?.whole, true);
  assert.deepEqual(JSON.parse(JSON.stringify(fold.answer)), COMPLETION);
});
