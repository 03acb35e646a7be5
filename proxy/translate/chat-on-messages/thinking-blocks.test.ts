import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { translated, translationContext } from '../../../test/support/translate/golden-case.ts';
import { foldStream } from '../../fold/fold-stream.ts';
import type { JsonObject } from '../translator.ts';
import { UNSIGNED } from '../wire/messages.ts';
import { chatOnMessages } from './chat-on-messages.ts';

const said = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => text.trim() !== '');
const sealed = fc.oneof(
  fc.record({ type: fc.constant('thinking'), thinking: fc.string(), signature: fc.base64String({ minLength: 4 }) }),
  fc.record({ type: fc.constant('redacted_thinking'), data: fc.base64String({ minLength: 4 }) }),
);
const text = said.map((value): JsonObject => ({ type: 'text', text: value }));
const use = said.map((city): JsonObject => ({ type: 'tool_use', id: '', name: 'f', input: { city } }));
/** Some thinking, then perhaps a text, then calls: the order that models keep between two thinking blocks. */
const stretch = fc
  .tuple(
    fc.array(sealed, { minLength: 1, maxLength: 2 }),
    fc.array(text, { maxLength: 1 }),
    fc.array(use, { maxLength: 2 }),
  )
  .map((parts): JsonObject[] => parts.flat());
const content = fc
  .array(stretch, { minLength: 1, maxLength: 4 })
  .map((stretches) => stretches.flat().map((block, at) => ('id' in block ? { ...block, id: `toolu_${at}` } : block)));

test('a turn with signed thinking comes back from the client as it was, each block at its place', () => {
  fc.assert(
    fc.property(content, fc.boolean(), (blocks, streamed) => {
      const answer = messageOf(blocks);
      const chat = streamed ? foldedStream(answer) : chatOnMessages.answer(answer, translationContext());
      const [choice] = chat['choices'] as { message: JsonObject }[];
      assert.ok(choice);
      const messages = [{ role: 'user', content: 'Hi' }, plain(choice.message), { role: 'user', content: 'And?' }];
      const losses: string[] = [];
      const { body } = chatOnMessages.request({ messages }, translationContext({}, losses));
      const turns = body['messages'] as JsonObject[];
      assert.deepEqual(turns[1]?.['content'], plain({ blocks })['blocks']);
      assert.deepEqual(losses, []);
    }),
    { numRuns: 300 },
  );
});

test('thinking that lost its signature is left out, and counted', () => {
  const broken: JsonObject[] = [
    { reasoning_content: 'Hm' },
    { thinking_blocks: [{ type: 'thinking', thinking: 'Hm', signature: '' }] },
    {
      thinking_blocks: [
        { type: 'thinking', thinking: 'Hm', signature: 's' },
        { type: 'thinking', thinking: 'Hm' },
      ],
    },
    { thinking_blocks: [{ index: 1, type: 'thinking', thinking: 'Hm', signature: 's' }] },
    { thinking_blocks: [{ type: 'redacted_thinking' }] },
    { thinking_blocks: [{ type: 'thinking', thinking: 'Hm', signature: UNSIGNED }] },
    { thinking_blocks: ['Hm'] },
  ];
  for (const members of broken) {
    const losses: string[] = [];
    const messages = [{ role: 'assistant', content: 'Yes', ...members }];
    const { body } = chatOnMessages.request({ messages }, translationContext({}, losses));
    assert.deepEqual(body['messages'], [{ role: 'assistant', content: 'Yes' }]);
    assert.deepEqual(losses, ['reasoning_content']);
  }
});

function messageOf(blocks: readonly JsonObject[]): JsonObject {
  return {
    id: 'm',
    type: 'message',
    role: 'assistant',
    model: 'c',
    content: blocks,
    stop_reason: 'end_turn',
    usage: {},
  };
}

/** The same answer as a stream, translated and put together by index as clients do. */
function foldedStream({ content: blocks, ...message }: JsonObject): JsonObject {
  const events = [
    { type: 'message_start', message: { ...message, content: [] } },
    ...(blocks as JsonObject[]).flatMap(blockEvents),
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: {} },
    { type: 'message_stop' },
  ];
  const bytes = Buffer.from(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
  const chat = translated(chatOnMessages.stream(translationContext()), [bytes]);
  const folded = foldStream('chat', Buffer.from(chat));
  assert.ok(folded?.whole);
  return folded.answer;
}

function blockEvents(block: JsonObject, index: number): JsonObject[] {
  const { type, text: whole, thinking, signature, input } = block;
  const deltas = {
    text: [{ type: 'text_delta', text: whole ?? '' }],
    thinking: [
      { type: 'thinking_delta', thinking: thinking ?? '' },
      { type: 'signature_delta', signature: signature ?? '' },
    ],
    redacted_thinking: [],
    tool_use: [{ type: 'input_json_delta', partial_json: JSON.stringify(input) }],
  }[String(type as string)] as JsonObject[];
  const empty = { ...block, ...(whole !== undefined && { text: '' }), ...(input !== undefined && { input: {} }) };
  const begun = thinking === undefined ? empty : { ...empty, thinking: '', signature: '' };
  return [
    { type: 'content_block_start', index, content_block: begun },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ];
}

function plain(value: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
