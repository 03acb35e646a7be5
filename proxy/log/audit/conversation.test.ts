import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conversationOf } from './conversation.ts';
import { spokenText } from './spoken-text.ts';

function record(target: string, asked: unknown, answered: unknown): unknown {
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  return { request: { target, body: { text: text(asked) } }, response: { body: { text: text(answered) } } };
}

/** Roles, kinds and texts in one line each. */
function told(one: unknown): string[] {
  return conversationOf(one).flatMap(({ role, parts }) =>
    parts.map(({ kind, name, text }) => `${role} ${kind}${name ? ` ${name}` : ''}: ${text.replaceAll(/\s+/g, ' ')}`),
  );
}

test('conversation: Messages, with thinking, a tool call, its result and an image', () => {
  const asked = {
    system: [{ type: 'text', text: 'Be brief.' }],
    tools: [{ name: 'look_up', description: 'not said by anybody' }],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'base64', data: 'AAAA' } },
          { type: 'text', text: 'What is it?' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
          { type: 'tool_use', id: 't', name: 'look_up', input: { bird: 'heron' } },
        ],
      },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'Ardea' }] }],
      },
    ],
  };
  const answered = { type: 'message', role: 'assistant', content: [{ type: 'text', text: 'A heron.' }] };
  assert.deepEqual(told(record('/v1/messages?beta=true', asked, answered)), [
    'system text: Be brief.',
    'user other: [image]',
    'user text: What is it?',
    'assistant thinking: Hm.',
    'assistant call look_up: { "bird": "heron" }',
    'user result: Ardea',
    'assistant text: A heron.',
  ]);
  const spoken = spokenText(JSON.stringify(asked), '/v1/messages');
  for (const word of ['Be brief', 'What is it', 'Hm.', 'heron', 'Ardea']) assert.ok(spoken.includes(word), word);
  for (const word of ['AAAA', 'not said by anybody', 'sig', 'tool_use']) assert.ok(!spoken.includes(word), word);
});

test('conversation: a stream of Chat Completions is joined, tool calls included', () => {
  const chunk = (delta: object): string => `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta }] })}\n\n`;
  const stream = [
    chunk({ role: 'assistant', content: 'A ma' }),
    chunk({ content: 'gnificent' }),
    chunk({ tool_calls: [{ index: 0, id: 't', type: 'function', function: { name: 'look_up', arguments: '{"bi' } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: 'rd":1}' } }] }),
    'data: [DONE]\n\n',
  ].join('');
  const asked = {
    messages: [
      { role: 'user', content: 'Hello' },
      { role: 'tool', tool_call_id: 't', content: 'Ardea' },
    ],
  };
  assert.deepEqual(told(record('/v1/chat/completions', asked, stream)), [
    'user text: Hello',
    'tool result: Ardea',
    'assistant text: A magnificent',
    'assistant call look_up: {"bird":1}',
  ]);
  assert.match(spokenText(stream, '/v1/chat/completions'), /A magnificent/);
});

test('conversation: Responses, an error, and what is in no form that we know', () => {
  const asked = {
    instructions: 'Be brief.',
    input: [
      { role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
      { type: 'function_call_output', call_id: 'c', output: 'Ardea' },
    ],
  };
  const output = [
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }] },
    { type: 'function_call', name: 'look_up', arguments: '{}' },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi.' }] },
  ];
  assert.deepEqual(told(record('/v1/responses', asked, { output })), [
    'system text: Be brief.',
    'user text: Hello',
    'tool result: Ardea',
    'assistant thinking: Hm.',
    'assistant call look_up: {}',
    'assistant text: Hi.',
  ]);
  assert.deepEqual(
    told(record('/v1/messages', { messages: [] }, { type: 'error', error: { message: 'Overloaded' } })),
    ['error text: Overloaded'],
  );
  assert.deepEqual(told(record('/upload', 'plain', '{"ok":true}')), [
    'user other: plain',
    'assistant other: {"ok":true}',
  ]);
  for (const nothing of [undefined, null, 7, 'x', [], {}, { request: 7, response: [] }])
    assert.deepEqual(conversationOf(nothing), []);
});

test('spokenText: bounded, and never fails on what is cut, deep or broken', () => {
  assert.equal(spokenText('x'.repeat(3_000_000), '/').length, 1024 * 1024);
  assert.equal(typeof spokenText(`${'['.repeat(5000)}"x"${']'.repeat(5000)}`, '/v1/messages'), 'string');
  assert.match(spokenText('{"messages":[{"content":"cut off he', '/v1/messages'), /cut off he/);
  assert.match(spokenText('data: not json\n\n', '/v1/messages'), /not json/);
});
