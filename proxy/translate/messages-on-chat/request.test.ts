import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translationContext } from '../../../test/support/translate/golden-case.ts';
import { ProxyError } from '../../errors.ts';
import { FLAVORS, type FlavorName } from '../flavors.ts';
import type { JsonObject } from '../translator.ts';
import { chatRequest } from './request.ts';

const HI = [{ role: 'user', content: 'Hi' }];
const TOOL = { name: 'now', input_schema: { type: 'object' } };

/** [request, the field that the refusal names] */
const MALFORMED: [JsonObject, string][] = [
  [{}, 'messages'],
  [{ messages: 'Hi' }, 'messages'],
  [{ messages: ['Hi'] }, 'messages[0]'],
  [{ messages: [{ role: 'user' }] }, 'messages[0].content'],
  [{ messages: [{ role: 'user', content: [7] }] }, 'messages[0].content[0]'],
  [{ messages: [{ role: 'user', content: [{}] }] }, 'messages[0].content[0].type'],
  [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
  [{ messages: [{ role: 'user', content: [{ type: 'image' }] }] }, 'messages[0].content[0].source'],
  [{ messages: [{ role: 'user', content: [{ type: 'tool_result' }] }] }, 'messages[0].content[0].tool_use_id'],
  [{ messages: [{ role: 'assistant', content: [{ type: 'tool_use', id: 'a' }] }] }, 'messages[0].content[0].name'],
  [{ messages: HI, system: [{ type: 'image' }] }, 'system[0].type'],
  [{ messages: HI, max_tokens: 'many' }, 'max_tokens'],
  [{ messages: HI, temperature: '1' }, 'temperature'],
  [{ messages: HI, stop_sequences: ['a', 1] }, 'stop_sequences[1]'],
  [{ messages: HI, tools: {} }, 'tools'],
  [{ messages: HI, tools: [{ name: 'now' }] }, 'tools[0].input_schema'],
  [{ messages: HI, tools: [{ ...TOOL, name: '' }] }, 'tools[0].name'],
  [{ messages: HI, tools: [TOOL], tool_choice: 'auto' }, 'tool_choice'],
  [{ messages: HI, tools: [TOOL], tool_choice: { type: 'some' } }, 'tool_choice.type'],
  [{ messages: HI, metadata: 'me' }, 'metadata'],
];

test('request: what cannot be read is refused by its path', () => {
  for (const [body, path] of MALFORMED) assert.equal(refusedField(body), path, JSON.stringify(body));
});

/** [request, the field that is refused where losses are, the name of the loss] */
const LOSSES: [JsonObject, string, string][] = [
  [{ messages: HI, top_k: 5 }, 'top_k', 'top_k'],
  [{ messages: HI, stop_sequences: ['a', 'b', 'c', 'd', 'e'] }, 'stop_sequences[4]', 'stop_sequences'],
  [{ messages: HI, inference_geo: 'eu' }, 'inference_geo', 'unknown_field'],
  [{ messages: HI, tools: [{ type: 'computer_20250124', name: 'computer' }] }, 'tools[0]', 'server_tool'],
  [{ messages: [{ role: 'user', content: [{ type: 'hologram' }] }] }, 'messages[0].content[0]', 'unknown_block'],
  [
    { messages: [{ role: 'user', content: [{ type: 'container_upload', file_id: 'f' }] }] },
    'messages[0].content[0]',
    'server_tool_block',
  ],
  [{ messages: [...HI, { role: 'assistant', content: 'I' }] }, 'messages[1]', 'prefill'],
  [{ messages: HI, output_format: { type: 'xml' } }, 'output_format', 'output_format'],
];

test('request: what cannot be carried is refused by its path or counted by its name, as the resource says', () => {
  for (const [body, path, name] of LOSSES) {
    assert.equal(refusedField(body), path);
    const losses: string[] = [];
    chatRequest(body, translationContext({}, losses));
    assert.deepEqual(losses, [name]);
  }
});

test('request: hints that change nothing are counted and never refused', () => {
  const losses: string[] = [];
  const thinking = { type: 'thinking', thinking: 'Hm', signature: 'abc' };
  const messages = [...HI, { role: 'assistant', content: [thinking] }, ...HI];
  const body = { messages, cache_control: { type: 'ephemeral' }, service_tier: 'standard_only' };
  chatRequest(body, translationContext({ onLoss: 'refuse' }, losses));
  assert.deepEqual(losses, ['cache_control', 'service_tier', 'thinking']);
});

test('request: each flavor gets the fields that it understands', () => {
  const body = { messages: HI, max_tokens: 5, stream: true, tools: [TOOL], tool_choice: { type: 'any' } };
  const differing = (flavor: FlavorName): JsonObject => {
    const fields = Object.entries(chatRequest(body, translationContext({ flavor })));
    return Object.fromEntries(fields.filter(([name]) => !['tools', 'messages', 'model', 'stream'].includes(name)));
  };
  const usage = { stream_options: { include_usage: true } };
  const expected: Record<FlavorName, JsonObject> = {
    openai: { max_completion_tokens: 5, tool_choice: 'required', ...usage },
    azure: { max_completion_tokens: 5, tool_choice: 'required', ...usage },
    groq: { max_completion_tokens: 5, tool_choice: 'required', ...usage },
    deepseek: { max_tokens: 5, tool_choice: 'required', ...usage },
    ollama: { max_tokens: 5, ...usage },
    vllm: { max_tokens: 5, tool_choice: 'required', ...usage },
    mistral: { max_tokens: 5, tool_choice: 'any' },
    xai: { max_tokens: 5, tool_choice: 'required', ...usage },
    gemini: { max_tokens: 5, tool_choice: 'required', ...usage },
  };
  for (const flavor of FLAVORS) assert.deepEqual(differing(flavor), expected[flavor], flavor);
});

test('request: the depth of thinking follows the budget, or the effort where it is named', () => {
  const effort = (body: JsonObject, flavor: FlavorName) =>
    chatRequest({ messages: HI, ...body }, translationContext({ flavor }))['reasoning_effort'];
  const budget = (tokens: number) => ({ thinking: { type: 'enabled', budget_tokens: tokens } });
  assert.deepEqual(
    [1024, 4096, 4097, 16_384, 16_385, 64_000].map((tokens) => effort(budget(tokens), 'openai')),
    ['low', 'low', 'medium', 'medium', 'high', 'high'],
  );
  assert.equal(effort(budget(10_000), 'deepseek'), 'low');
  assert.equal(effort(budget(10_000), 'mistral'), undefined);
  assert.equal(effort({ ...budget(1024), output_config: { effort: 'xhigh' } }, 'openai'), 'xhigh');
  assert.equal(effort({ output_config: { effort: 'max' } }, 'vllm'), 'high');
  assert.equal(effort({ output_config: { effort: 'max' }, thinking: { type: 'disabled' } }, 'openai'), undefined);
  assert.equal(effort({ thinking: { type: 'adaptive' } }, 'openai'), undefined);
});

test('request: the model is the one that the candidate asks for', () => {
  assert.equal(
    chatRequest({ messages: HI, model: 'claude' }, translationContext({ model: 'gpt-5' }))['model'],
    'gpt-5',
  );
});

function refusedField(body: JsonObject): string | undefined {
  try {
    chatRequest(body, translationContext({ onLoss: 'refuse' }));
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ProxyError && error.kind === 'bad_request');
    return /the field "([^"]+)"/.exec(error.message)?.[1];
  }
}
