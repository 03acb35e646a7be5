import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markProgress } from '#contract/progress.ts';
import { withoutProgress } from './strip-progress.ts';

const LINE = markProgress('🔧 Executing search…');

test('an answer put together from its stream loses its blocks of progress and keeps the rest', () => {
  const text = (said: string): object => ({ type: 'text', text: said });
  const answer = {
    id: 'msg_1',
    content: [text(LINE), text('Found'), { type: 'thinking', thinking: LINE, signature: '' }, text('')],
    usage: { output_tokens: 5 },
  };
  assert.deepEqual(withoutProgress(answer), { ...answer, content: [text('Found'), text('')] });
  const chat = {
    choices: [{ index: 0, message: { role: 'assistant', content: `${LINE}Found`, reasoning_content: LINE } }],
  };
  assert.deepEqual(withoutProgress(chat), {
    choices: [{ index: 0, message: { role: 'assistant', content: 'Found', reasoning_content: '' } }],
  });
});

test('what holds none is given back as it is', () => {
  const body = { messages: [{ role: 'user', content: '🔄 Starting… is what I said' }], system: [], n: 1, x: null };
  assert.equal(withoutProgress(body), body);
});

test('messages of nothing else are gone; those that call tools are not', () => {
  const calls = [{ id: 'c', function: { name: 'weather', arguments: '{}' } }];
  const messages = [
    { role: 'assistant', content: LINE },
    { role: 'assistant', content: [{ type: 'text', text: LINE }] },
    { role: 'assistant', content: LINE, tool_calls: calls },
    { role: 'user', content: LINE },
  ];
  assert.deepEqual(withoutProgress({ messages })['messages'], [
    { role: 'assistant', content: '', tool_calls: calls },
    { role: 'user', content: '' },
  ]);
});
