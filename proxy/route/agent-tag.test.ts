import assert from 'node:assert/strict';
import test from 'node:test';
import { agentInPrompt, type PeekedValue, promptKeys } from './agent-tag.ts';
import type { BodyFact } from './match.ts';

const TAG = { open: '<agent>', close: '</agent>' };
const UNREAD: BodyFact = { kind: 'unread' };
const read = (value: string | undefined): BodyFact => ({ kind: 'read', value });

/** @param values text of each value as it stands in the body; `…` at its end: the rest did not come */
function agent(keys: readonly string[], values: Record<string, string>, allSeen = true): BodyFact {
  const peeked = (key: string): PeekedValue | undefined => {
    const text = values[key];
    if (text === undefined) return undefined;
    return { bytes: Buffer.from(text.replace(/…$/, '')), whole: !text.endsWith('…') };
  };
  return agentInPrompt(TAG, keys, peeked, allSeen);
}

test('promptKeys() knows where each dialect keeps its system prompt', () => {
  assert.deepEqual(promptKeys('anthropic', '/v1/messages'), ['system']);
  assert.deepEqual(promptKeys('openai', '/v1/chat/completions'), ['messages']);
  assert.deepEqual(promptKeys('openai', '/v1/responses'), ['instructions', 'input']);
  assert.deepEqual(promptKeys('raw', '/search'), []);
});

test('agentInPrompt() reads a system prompt that is a text or a list of blocks, escapes included', () => {
  const system = (text: string): BodyFact => agent(['system'], { system: text });
  assert.deepEqual(system('"You are <agent> architect </agent>."'), read('architect'));
  assert.deepEqual(system('[{"type":"text","text":"a"},{"text":"<agent>b</agent><agent>c</agent>"}]'), read('b'));
  // Go's encoder escapes angle brackets.
  assert.deepEqual(system('"\\u003cagent\\u003ecaf\\u00e9\\u003c/agent\\u003e"'), read('café'));
});

test('agentInPrompt() finds nothing in prompts without a whole tag', () => {
  for (const text of [
    '"plain"',
    '"<agent>x"',
    '"x</agent>"',
    '"<agent> </agent>"',
    'null',
    '17',
    '{"text":1}',
    '"broken',
  ]) {
    assert.deepEqual(agent(['system'], { system: text }), read(undefined), text);
  }
  assert.deepEqual(agent(['system'], { system: `"<agent>${'x'.repeat(257)}</agent>"` }), read(undefined));
  assert.deepEqual(agent(['system'], {}), read(undefined));
});

test('agentInPrompt() takes the first system or developer message, and no other', () => {
  const messages = (text: string): BodyFact => agent(['messages'], { messages: text });
  const user = '{"role":"user","content":"<agent>user</agent> \\"system\\" ]}"}';
  const developer = '{"content":[{"type":"text","text":"<agent>dev</agent>"}],"role":"developer"}';
  assert.deepEqual(messages(`[${user}, ${developer},{"role":"system","content":"<agent>later</agent>"}]`), read('dev'));
  assert.deepEqual(messages(`[${user}]`), read(undefined));
  assert.deepEqual(
    messages('[{"role":"system","content":"none"},{"role":"system","content":"<agent>x</agent>"}]'),
    read(undefined),
  );
});

test('agentInPrompt() reads instructions before input, and takes a text as the user’s', () => {
  const keys = ['instructions', 'input'];
  const input = '[{"role":"system","content":[{"type":"input_text","text":"<agent>in</agent>"}]}]';
  assert.deepEqual(agent(keys, { input, instructions: '"<agent>ins</agent>"' }), read('ins'));
  assert.deepEqual(agent(keys, { input }), read('in'));
  assert.deepEqual(agent(keys, { input: '"<agent>me</agent>"' }), read(undefined));
});

test('agentInPrompt() says when too little was read to tell', () => {
  assert.deepEqual(agent(['system'], {}, false), UNREAD);
  assert.deepEqual(agent(['system'], { system: '"<agent>x</agent> and …' }, false), UNREAD);
  assert.deepEqual(agent(['messages'], { messages: '[{"role":"user","content":"a"},{"role":"sys…' }, false), UNREAD);
  // The message that counts came whole: what follows does not matter.
  const first = '[{"role":"system","content":"<agent>x</agent>"},{"role":"user…';
  assert.deepEqual(agent(['messages'], { messages: first }, false), read('x'));
  assert.deepEqual(agent(['messages'], { messages: first.replace(/<.*>/, '') }, false), read(undefined));
});
