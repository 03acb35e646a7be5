/** Whatever a client or an upstream sends: no translation throws anything but its named refusal, and what leaves is valid. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { translated, translationContext } from '../../../test/support/translate/golden-case.ts';
import { sequenceProblems, wireEvents } from '../../../test/support/translate/messages-sequence.ts';
import { ProxyError } from '../../errors.ts';
import { FLAVORS } from '../flavors.ts';
import type { JsonObject } from '../translator.ts';
import { messagesOnChat } from './messages-on-chat.ts';

const anything = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(null, '', 'x', 0, 1, true, {}, [], [{}]));

/** An object most of whose members are what they should be: of `right` + 1 one is anything, and any may be missing. */
function loosely(members: Record<string, fc.Arbitrary<unknown>>, right = 6): fc.Arbitrary<Record<string, unknown>> {
  const mixed = Object.entries(members).map(([name, good]) => [
    name,
    fc.oneof({ weight: right, arbitrary: good }, { weight: 1, arbitrary: anything }),
  ]);
  const model = Object.fromEntries(mixed) as Record<string, fc.Arbitrary<unknown>>;
  return fc.oneof({ weight: right, arbitrary: fc.record(model) }, fc.record(model, { requiredKeys: [] }));
}

const text = fc.string({ maxLength: 8 });
const call = loosely({
  index: fc.nat(2),
  id: fc.constantFrom('a', 'b', ''),
  function: loosely({
    name: fc.constantFrom('now', ''),
    arguments: fc.constantFrom('{', '}', '{"a":1}', '', '"', '\\'),
  }),
});
const delta = loosely({
  role: fc.constant('assistant'),
  content: fc.oneof(text, fc.array(loosely({ type: fc.constantFrom('text', 'thinking'), text, thinking: text }))),
  reasoning: text,
  reasoning_content: text,
  refusal: text,
  tool_calls: fc.array(call, { maxLength: 3 }),
  function_call: loosely({ name: fc.constant('now'), arguments: text }),
  annotations: fc.array(anything, { maxLength: 1 }),
});
const usage = loosely({
  prompt_tokens: fc.integer(),
  completion_tokens: fc.integer(),
  total_tokens: fc.nat(),
  prompt_tokens_details: loosely({ cached_tokens: fc.integer(), cache_write_tokens: fc.integer() }),
});
const reasons = fc.constantFrom('stop', 'length', 'tool_calls', 'content_filter', 'error', '', null, 'new');
const choices = (member: string) =>
  fc.array(loosely({ index: fc.constant(0), [member]: delta, finish_reason: reasons, stop_reason: text }), {
    maxLength: 2,
  });
const chunk = loosely({ id: text, model: text, choices: choices('delta'), usage });

test('strangers: any chunks become a valid sequence of events', () => {
  const context = translationContext();
  fc.assert(
    fc.property(fc.array(fc.oneof({ weight: 5, arbitrary: chunk }, anything), { maxLength: 8 }), (chunks) => {
      const bytes = Buffer.from(chunks.map((each) => `data: ${JSON.stringify(each)}\n\n`).join(''));
      for (const end of ['data: [DONE]\n\n', '']) {
        const out = translated(messagesOnChat.stream(context), [bytes, Buffer.from(end)]);
        assert.deepEqual(sequenceProblems(wireEvents(out)), []);
      }
    }),
    { numRuns: 600 },
  );
});

test('strangers: any bytes become a valid sequence of events', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      const out = translated(
        messagesOnChat.stream(translationContext()),
        chunks.map((bytes) => Buffer.from(bytes)),
      );
      assert.deepEqual(sequenceProblems(wireEvents(out)), []);
    }),
  );
});

const name = fc.constantFrom('now', 'weather');
const ask = (members: Record<string, fc.Arbitrary<unknown>>) => loosely(members, 60);
const block = ask({
  type: fc.constantFrom('text', 'image', 'document', 'tool_use', 'tool_result', 'thinking', 'search_result', 'new'),
  text,
  thinking: text,
  id: text,
  tool_use_id: text,
  name,
  input: fc.constant({}),
  is_error: fc.boolean(),
  content: fc.oneof(text, fc.array(ask({ type: fc.constantFrom('text', 'image'), text }), { maxLength: 2 })),
  source: ask({
    type: fc.constantFrom('base64', 'url', 'text', 'content', 'file'),
    media_type: fc.constantFrom('custom', 'web_search'),
    data: text,
    url: text,
    content: text,
  }),
  cache_control: fc.constant({ type: 'ephemeral' }),
});
const content = fc.oneof(text, fc.array(block, { maxLength: 3 }));
const request = ask({
  messages: fc.array(ask({ role: fc.constantFrom('user', 'assistant'), content }), { maxLength: 4 }),
  system: fc.oneof(text, fc.array(ask({ type: fc.constant('text'), text }), { maxLength: 2 })),
  max_tokens: fc.nat(),
  temperature: fc.double(),
  top_k: fc.nat(),
  stop_sequences: fc.array(text),
  tools: fc.array(
    ask({
      type: fc.constantFrom('custom', 'web_search'),
      name,
      input_schema: fc.constant({ type: 'object' }),
      strict: fc.boolean(),
    }),
  ),
  tool_choice: ask({ type: fc.constantFrom('auto', 'any', 'tool', 'none'), name }),
  thinking: ask({ type: fc.constantFrom('enabled', 'disabled', 'adaptive'), budget_tokens: fc.nat() }),
  output_config: ask({
    effort: fc.constantFrom('low', 'max'),
    format: ask({ type: fc.constant('json_schema'), schema: fc.constant({}) }),
  }),
  metadata: ask({ user_id: text }),
  stream: fc.boolean(),
});

test('strangers: any request is translated or refused by name', () => {
  let carried = 0;
  fc.assert(
    fc.property(request, fc.constantFrom(...FLAVORS), fc.constantFrom('warn', 'refuse'), (body, flavor, onLoss) => {
      try {
        const { body: made } = messagesOnChat.request(body as JsonObject, translationContext({ flavor, onLoss }));
        assert.ok(Array.isArray(made['messages']) && !JSON.stringify(made).includes('cache_control'));
        carried++;
      } catch (error) {
        assert.ok(error instanceof ProxyError && error.kind === 'bad_request', String(error));
        assert.match(error.message, /the field "[^"]+"/);
      }
    }),
    { numRuns: 600 },
  );
  assert.ok(carried > 50, `only ${carried} requests could be translated: the test says little`);
});

test('strangers: any answer is translated or an Error, any error is an error', () => {
  const answer = loosely({ id: text, model: text, choices: choices('message'), usage });
  fc.assert(
    fc.property(answer, text, fc.integer({ min: 400, max: 599 }), (body, words, status) => {
      try {
        const message = messagesOnChat.answer(body as JsonObject, translationContext());
        assert.equal(message['type'], 'message');
      } catch (error) {
        assert.match(String(error), /^Error: The upstream/);
      }
      for (const said of [words, JSON.stringify(body), `{"error":${JSON.stringify(body)}}`])
        assert.equal(messagesOnChat.error(status, said, translationContext()).body['type'], 'error');
    }),
    { numRuns: 1000 },
  );
});
