import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { translationContext } from '../../../test/support/translate/golden-case.ts';
import { messagesOnChat } from '../messages-on-chat/messages-on-chat.ts';
import type { JsonObject } from '../translator.ts';
import { chatOnMessages } from './chat-on-messages.ts';

/** Requests of a Messages client that both forms can carry whole, written as both write them. */
const said = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => text.trim() !== '');
const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);
const image = fc.constantFrom<JsonObject>(
  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
  { type: 'image', source: { type: 'url', url: 'https://example.com/a.jpg' } },
);
const document = said.map((title): JsonObject => {
  return { type: 'document', title, source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' } };
});
const textBlock = said.map((text): JsonObject => ({ type: 'text', text }));
/** With something beside texts: texts alone become one text. */
const mixed = fc
  .tuple(fc.array(textBlock, { maxLength: 2 }), fc.oneof(image, document), fc.array(textBlock, { maxLength: 2 }))
  .map(([before, between, after]) => [...before, between, ...after]);
const userTurn = fc.oneof(said, mixed).map((content): JsonObject => ({ role: 'user', content }));

/** An assistant that says something, and one that calls tools and gets their results. */
const spoken = fc.tuple(said, userTurn).map(([content, user]): JsonObject[] => [{ role: 'assistant', content }, user]);
const called = fc
  .record({
    text: fc.option(textBlock, { nil: undefined }),
    calls: fc.uniqueArray(fc.record({ id: name, name, input: fc.dictionary(said, json), result: fc.option(said) }), {
      minLength: 1,
      maxLength: 3,
      selector: ({ id }) => id,
    }),
    later: fc.oneof(
      fc.constant([]),
      mixed,
      textBlock.map((block) => [block]),
    ),
  })
  .map(({ text, calls, later }): JsonObject[] => {
    const uses = calls.map(
      (call): JsonObject => ({ type: 'tool_use', id: call.id, name: call.name, input: call.input }),
    );
    const results = calls.map(({ id, result }): JsonObject => {
      return { type: 'tool_result', tool_use_id: id, ...(result !== null && { content: result }) };
    });
    const before = text === undefined ? [] : [text];
    return [
      { role: 'assistant', content: [...before, ...uses] },
      { role: 'user', content: [...results, ...later] },
    ];
  });
const messages = fc
  .tuple(userTurn, fc.array(fc.oneof(spoken, called), { maxLength: 3 }))
  .map(([first, rest]) => [first, ...rest.flat()]);

const closed = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false };
const tool = fc.record({ name, description: said, strict: fc.constant(true) }, { requiredKeys: ['name'] });
const tools = fc
  .uniqueArray(tool, { minLength: 1, maxLength: 3, selector: (made) => made.name })
  .map((made) => made.map((described): JsonObject => ({ ...described, input_schema: closed })));
const choice = fc.constantFrom<JsonObject>(
  { type: 'auto' },
  { type: 'any' },
  { type: 'none' },
  { type: 'auto', disable_parallel_tool_use: true },
  { type: 'any', disable_parallel_tool_use: true },
);
const withTools = fc
  .record({ tools, tool_choice: fc.option(choice, { nil: undefined }), named: fc.boolean() })
  .map(({ tools: described, tool_choice, named }): JsonObject => {
    const [first] = described;
    if (named && first !== undefined)
      return { tools: described, tool_choice: { type: 'tool', name: first['name'] ?? '' } };
    return { tools: described, ...(tool_choice !== undefined && { tool_choice }) };
  });
const unit = fc.double({ min: 0, max: 1, noNaN: true });
const request = fc
  .record(
    {
      model: fc.constant('upstream-model'),
      max_tokens: fc.integer({ min: 1, max: 100_000 }),
      messages,
      system: said,
      temperature: unit,
      top_p: unit,
      stop_sequences: fc.array(said, { minLength: 1, maxLength: 4 }),
      metadata: name.map((user_id) => ({ user_id })),
      output_config: fc.constant({ format: { type: 'json_schema', schema: closed } }),
      stream: fc.constant(true),
    },
    { requiredKeys: ['model', 'max_tokens', 'messages'] },
  )
  .chain((base) => withTools.map((more): JsonObject => ({ ...base, ...more })));

test('a Messages request comes back from Chat Completions with all that both can carry', () => {
  fc.assert(
    fc.property(request, (asked) => {
      const losses: string[] = [];
      const chat = messagesOnChat.request(asked, translationContext({}, losses));
      const back = chatOnMessages.request(plain(chat.body), translationContext({}, losses));
      assert.deepEqual(plain(back.body), plain(asked));
      assert.deepEqual(losses, []);
    }),
    { numRuns: 500 },
  );
});

test('a budget of thinking comes back as a budget of the same depth', () => {
  for (const [asked, back] of [
    [2000, 4096],
    [4096, 4096],
    [10_000, 10_240],
    [16_384, 10_240],
    [31_999, 24_576],
  ] as const) {
    const thinking = { type: 'enabled', budget_tokens: asked };
    const sent = { model: 'm', max_tokens: 64_000, messages: [{ role: 'user', content: 'Hi' }], thinking };
    const chat = messagesOnChat.request(sent, translationContext());
    const { body } = chatOnMessages.request(chat.body, translationContext());
    assert.deepEqual(body['thinking'], { type: 'enabled', budget_tokens: back });
  }
});

const toolUse = fc.record({ type: fc.constant('tool_use'), id: name, name, input: fc.dictionary(said, json) });
const answer = fc
  .record({
    text: fc.option(textBlock, { nil: undefined }),
    uses: fc.uniqueArray(toolUse, { maxLength: 3, selector: ({ id }) => id }),
    reason: fc.constantFrom('end_turn', 'max_tokens', 'refusal'),
    counts: fc.tuple(fc.nat(1e6), fc.nat(1e6), fc.nat(1e6)),
  })
  .filter(({ text, uses }) => text !== undefined || uses.length > 0)
  .map(({ text, uses, reason, counts: [input_tokens, cache_read_input_tokens, output_tokens] }): JsonObject => {
    return {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude',
      content: [...(text === undefined ? [] : [text]), ...uses],
      stop_reason: reason === 'end_turn' && uses.length > 0 ? 'tool_use' : reason,
      stop_sequence: null,
      usage: { input_tokens, cache_read_input_tokens, cache_creation_input_tokens: 0, output_tokens },
    };
  });

test('an answer of the Messages API comes back from a Chat client as it was', () => {
  fc.assert(
    fc.property(answer, (given) => {
      const chat = chatOnMessages.answer(given, translationContext());
      const back = messagesOnChat.answer(plain(chat), translationContext());
      assert.deepEqual(plain(known(back)), plain(known(given)));
    }),
    { numRuns: 300 },
  );
});

function known({ content, stop_reason, model, usage }: JsonObject): JsonObject {
  const { input_tokens, cache_read_input_tokens, output_tokens } = usage as Record<string, number>;
  return {
    content: content ?? null,
    stop_reason: stop_reason ?? null,
    model: model ?? null,
    counts: [input_tokens ?? null, cache_read_input_tokens ?? null, output_tokens ?? null],
  };
}

/** As it goes over the wire. */
function plain(value: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
