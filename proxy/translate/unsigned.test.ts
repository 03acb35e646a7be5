import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutUnsigned } from './unsigned.ts';

const own = { type: 'thinking', thinking: 'Ours.', signature: 'sluice-unsigned' };
const signed = { type: 'thinking', thinking: 'Theirs.', signature: 'c2ln' };
const call = (id: string) => ({ type: 'tool_use', id, name: 'now', input: { id: 'a.b' } });
const result = (id: string) => ({ type: 'tool_result', tool_use_id: id, content: 'noon' });

function bodyOf(...messages: unknown[]): Buffer {
  return Buffer.from(JSON.stringify({ model: 'claude', messages, max_tokens: 5 }));
}

function said(body: Buffer): unknown {
  return (JSON.parse(withoutUnsigned(body).toString()) as { messages: unknown }).messages;
}

test('withoutUnsigned() leaves a request alone that holds nothing of ours', () => {
  const user = { role: 'user', content: [result('toolu_1'), { type: 'text', text: 'ü "tool_use_id": "a.b"' }] };
  const body = bodyOf({ role: 'user', content: 'Hi' }, { role: 'assistant', content: [signed, call('toolu_1')] }, user);
  assert.equal(withoutUnsigned(body), body);
});

test('withoutUnsigned() takes out our thinking, and a message of which nothing else is there', () => {
  const hi = { role: 'user', content: 'Hi' };
  const empty = { role: 'user', content: [] };
  assert.deepEqual(
    said(bodyOf(hi, empty, { role: 'assistant', content: [own, signed] }, { role: 'assistant', content: [own] })),
    [hi, empty, { role: 'assistant', content: [signed] }],
  );
});

test('withoutUnsigned() gives calls and their results ids that the API takes', () => {
  const [calls, results] = [['functions.now:0', 'toolu_1'].map(call), ['functions.now:0', 'toolu_1'].map(result)];
  assert.deepEqual(said(bodyOf({ role: 'assistant', content: calls }, { role: 'user', content: [...results, null] })), [
    { role: 'assistant', content: ['functions_now_0', 'toolu_1'].map(call) },
    { role: 'user', content: [...['functions_now_0', 'toolu_1'].map(result), null] },
  ]);
});

test('withoutUnsigned() leaves what is no JSON to the provider', () => {
  const body = Buffer.from('{"tool_use_id": "a.b", sluice-unsigned');
  assert.equal(withoutUnsigned(body), body);
});
