import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../translate/translator.ts';
import { foldChat } from './chat.ts';
import type { Folder } from './folder.ts';
import { foldMessages } from './messages.ts';
import { foldResponses } from './responses.ts';

function fold(folder: Folder, events: readonly (JsonObject | string)[]): Folder {
  for (const event of events) folder.push(event);
  return folder;
}

const START = {
  type: 'message_start',
  message: { id: 'm', content: [], stop_reason: null, usage: { input_tokens: 3 } },
};

test('foldMessages() keeps thinking with its signature, and parses inputs from their fragments', () => {
  const { content } =
    fold(foldMessages(), [
      START,
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Let ' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'me' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'c2ln' } },
      { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 't', name: 'f', input: {} } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"a":[1,' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '2]}' } },
    ]).result() ?? {};
  assert.deepEqual(content, [
    { type: 'thinking', thinking: 'Let me', signature: 'c2ln' },
    { type: 'tool_use', id: 't', name: 'f', input: { a: [1, 2] } },
  ]);
});

test('foldMessages() merges usage: later counts win, null says nothing', () => {
  const folder = fold(foldMessages(), [
    START,
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { input_tokens: null, output_tokens: 5 } },
  ]);
  assert.deepEqual(folder.result()?.['usage'], { input_tokens: 3, output_tokens: 5 });
  assert.equal(folder.result()?.['stop_reason'], 'end_turn');
  assert.equal(folder.whole, false);
  folder.push({ type: 'message_stop' });
  assert.equal(folder.whole, true);
});

test('foldMessages() keeps what a cut call holds for certain', () => {
  const folder = fold(foldMessages(), [
    START,
    { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 't', name: 'f', input: {} } },
    { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"a":"b","c":"d' } },
  ]);
  const { content } = folder.result() ?? {};
  assert.deepEqual(content, [{ type: 'tool_use', id: 't', name: 'f', input: { a: 'b', c: 'd' } }]);
});

test('foldMessages() takes a message that is whole at its beginning', () => {
  const call = { type: 'tool_use', id: 't', name: 'roll', input: { player: 'one' } };
  const message = { id: 'm', content: [call], stop_reason: 'tool_use', usage: { output_tokens: 0 } };
  const folder = fold(foldMessages(), [{ type: 'message_start', message }, { type: 'message_stop' }]);
  assert.deepEqual([folder.result(), folder.whole], [message, true]);
});

test('a broken or an error event makes an answer not whole, whatever follows', () => {
  const stop = { type: 'message_stop' };
  assert.equal(fold(foldMessages(), [START, '{"type":', stop]).whole, false);
  assert.equal(fold(foldMessages(), [START, { type: 'error', error: {} }, stop]).whole, false);
  const chunk = { choices: [{ index: 0, delta: { content: 'a' }, finish_reason: 'stop' }] };
  assert.equal(fold(foldChat(), [chunk, '{"type":', '[DONE]']).whole, false);
  assert.equal(fold(foldChat(), [chunk, { error: { message: 'x' } }, '[DONE]']).whole, false);
  assert.equal(fold(foldChat(), [chunk, '[DONE]']).whole, true);
});

test('foldChat() joins parallel calls by index, and drops what only deltas have', () => {
  const delta = (tool_calls: JsonObject[]): JsonObject => ({ choices: [{ index: 0, delta: { tool_calls } }] });
  const folder = fold(foldChat(), [
    { id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { role: 'assistant', content: null } }] },
    delta([{ index: 1, id: 'b', type: 'function', function: { name: 'g', arguments: '' } }]),
    delta([{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{' } }]),
    delta([
      { index: 1, function: { arguments: '{"x":' } },
      { index: 0, id: '', function: { name: '', arguments: '}' } },
    ]),
    delta([{ index: 1, function: { arguments: '1}' } }]),
    { choices: [{ index: 0, delta: { role: 'assistant' }, finish_reason: 'tool_calls' }], obfuscation: 'xx' },
    { choices: [], usage: { prompt_tokens: 1 } },
    '[DONE]',
  ]);
  const message = {
    role: 'assistant',
    content: null,
    refusal: null,
    tool_calls: [
      { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } },
      { id: 'b', type: 'function', function: { name: 'g', arguments: '{"x":1}' } },
    ],
  };
  assert.deepEqual(folder.result(), {
    id: 'c',
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: 'tool_calls' }],
    usage: { prompt_tokens: 1 },
  });
});

test('foldChat() keeps calls apart that a server counts as one, and joins those that it only names again', () => {
  const { message } = chatOf([
    { tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"x":1}' } }] },
    { tool_calls: [{ index: 0, id: 'b', function: { name: 'f', arguments: '{"x":' } }] },
    { tool_calls: [{ index: 0, id: 'b', function: { name: 'f', arguments: '2}' } }] },
    { tool_calls: [{ index: '0', id: '', function: { name: 'g', arguments: '{}' } }] },
    { tool_calls: [{ index: 0, function: { name: 'g', arguments: '' } }] },
  ]);
  assert.deepEqual(message['tool_calls'], [
    { id: 'a', function: { name: 'f', arguments: '{"x":1}' } },
    { id: 'b', function: { name: 'f', arguments: '{"x":2}' } },
    { id: '', function: { name: 'g', arguments: '{}' } },
  ]);
});

test('foldChat() loses nothing of content that comes as a text and as a list', () => {
  const thinking = { type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] };
  const { message } = chatOf([{ content: '' }, { content: [thinking] }, { content: 'Hi' }]);
  assert.deepEqual(message['content'], [thinking, { type: 'text', text: 'Hi' }]);
  const { message: other } = chatOf([{ content: 'Hi' }, { content: [thinking] }]);
  assert.deepEqual(other['content'], [{ type: 'text', text: 'Hi' }, thinking]);
});

test('foldChat() takes a message that comes whole, and not again behind its deltas', () => {
  const message = { role: 'assistant', content: 'Hello' };
  const contentOf = (choices: readonly JsonObject[]) => {
    const folder = fold(
      foldChat(),
      choices.map((choice) => ({ choices: [choice] })),
    );
    return (folder.result()?.['choices'] as [{ message: JsonObject }] | undefined)?.[0].message['content'];
  };
  assert.equal(contentOf([{ message, finish_reason: 'stop' }]), 'Hello');
  assert.equal(
    contentOf([{ delta: { content: 'Hel' }, message: { content: 'Hel' } }, { delta: { content: 'lo' } }]),
    'Hello',
  );
  assert.equal(
    contentOf([
      { delta: message, message: null },
      { message, finish_reason: 'stop' },
    ]),
    'Hello',
  );
});

function chatOf(deltas: readonly JsonObject[]): { readonly message: JsonObject } {
  const folder = fold(
    foldChat(),
    deltas.map((delta) => ({ choices: [{ index: 0, delta }] })),
  );
  const { choices } = folder.result() ?? {};
  return (choices as [{ message: JsonObject }])[0];
}

test('foldResponses() builds a cut answer from its items', () => {
  const folder = fold(foldResponses(), [
    { type: 'response.created', response: { id: 'r', object: 'response', status: 'in_progress', output: [] } },
    { type: 'response.output_item.added', output_index: 0, item: { type: 'reasoning', id: 'rs', summary: [] } },
    { type: 'response.reasoning_summary_text.delta', output_index: 0, summary_index: 0, delta: 'Hm' },
    { type: 'response.output_item.added', output_index: 2, item: { type: 'function_call', name: 'f', arguments: '' } },
    { type: 'response.output_item.added', output_index: 1, item: { type: 'message', id: 'm', content: [] } },
    { type: 'response.content_part.added', output_index: 1, content_index: 0, part: { type: 'output_text', text: '' } },
    { type: 'response.output_text.delta', output_index: 1, content_index: 0, delta: 'Grü' },
    { type: 'response.output_text.delta', output_index: 1, content_index: 0, delta: 'ße' },
    { type: 'response.function_call_arguments.delta', output_index: 2, delta: '{"a"' },
  ]);
  assert.equal(folder.whole, false);
  assert.deepEqual(folder.result(), {
    id: 'r',
    object: 'response',
    status: 'in_progress',
    output: [
      { type: 'reasoning', id: 'rs', summary: [{ type: 'summary_text', text: 'Hm' }] },
      { type: 'message', id: 'm', content: [{ type: 'output_text', text: 'Grüße' }] },
      { type: 'function_call', name: 'f', arguments: '{"a"' },
    ],
  });
});

test('foldResponses() takes the answer of the last event, and its items where that leaves them out', () => {
  const item = { type: 'message', id: 'm', content: [{ type: 'output_text', text: 'Hi' }] };
  const folder = fold(foldResponses(), [
    { type: 'response.created', response: { id: 'r', status: 'in_progress' } },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: { id: 'r', status: 'completed', output: [] } },
  ]);
  assert.equal(folder.whole, true);
  assert.deepEqual(folder.result(), { object: 'response', id: 'r', status: 'completed', output: [item] });
});
