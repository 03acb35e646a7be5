/**
 * A second opinion: the `ai` package speaks both wire forms from one prompt. What its OpenAI provider asks, translated, must be
 * what its Anthropic provider asks; what its Anthropic provider reads in an answer, its OpenAI provider must read in the translation.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import {
  generateText,
  jsonSchema,
  type LanguageModel,
  type ModelMessage,
  Output,
  streamText,
  type ToolSet,
  tool,
} from 'ai';
import { providerRecordings } from '../../../test/support/clients/recordings.ts';
import { translated, translationContext } from '../../../test/support/translate/golden-case.ts';
import type { JsonObject, JsonValue } from '../translator.ts';
import { isObject } from '../wire/json.ts';
import { chatOnMessages } from './chat-on-messages.ts';

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

type Fetch = typeof globalThis.fetch;
type ModelOf = (fetch: Fetch) => LanguageModel;
type Prompt = Omit<Parameters<typeof generateText>[0], 'model'>;

const GOLDEN = join(import.meta.dirname, '../../../test/golden/translate/chat-on-messages');
const CITY = jsonSchema({
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
});
const tools: ToolSet = {
  weather: tool({ description: 'Weather of a city', inputSchema: CITY }),
  now: tool({ inputSchema: jsonSchema({ type: 'object', properties: {} }) }),
};
const content: ModelMessage = {
  role: 'user',
  content: [
    { type: 'text', text: 'What is this?' },
    { type: 'file', data: 'iVBORw0KGgo=', mediaType: 'image/png' },
    { type: 'file', data: new URL('https://example.com/a.jpg'), mediaType: 'image/jpeg' },
    { type: 'file', data: 'JVBERi0=', mediaType: 'application/pdf', filename: 'a.pdf' },
  ],
};
const call = (toolCallId: string, city: string) =>
  ({ type: 'tool-call', toolCallId, toolName: 'weather', input: { city } }) as const;
const result = (toolCallId: string, value: string) =>
  ({ type: 'tool-result', toolCallId, toolName: 'weather', output: { type: 'text', value } }) as const;
const loop: ModelMessage[] = [
  { role: 'user', content: 'Weather in Köln and Oslo?' },
  { role: 'assistant', content: [{ type: 'text', text: 'I look.' }, call('call_1', 'Köln'), call('call_2', 'Oslo')] },
  { role: 'tool', content: [result('call_1', 'Rain'), result('call_2', 'Snow')] },
  { role: 'assistant', content: 'Rain and snow.' },
  { role: 'user', content: 'And in Rome?' },
];

const PROMPTS: Readonly<Record<string, Prompt>> = {
  'a text': { prompt: 'Hi' },
  'a system prompt and sampling': {
    system: 'Be terse',
    prompt: 'Hi',
    temperature: 0.3,
    stopSequences: ['END', 'STOP'],
  },
  'images and files': { messages: [content] },
  'a conversation with tools': { messages: loop, tools },
  'a tool that has to be called': { messages: loop, tools, toolChoice: 'required' },
  'a tool that is named': { messages: loop, tools, toolChoice: { type: 'tool', toolName: 'now' } },
  'tools that may not be called': { messages: loop, tools, toolChoice: 'none' },
  'an output of a schema': { prompt: 'Hi', output: Output.object({ schema: CITY }) },
};

for (const [name, prompt] of Object.entries(PROMPTS))
  test(`oracle: ${name}, translated, is what the ai package asks an Anthropic provider`, async () => {
    const model = 'claude-sonnet-4-5';
    const call = { ...prompt, maxOutputTokens: 2000 };
    const asked = await requestBody((fetch) => createOpenAI({ apiKey: 'x', fetch }).chat(model), call);
    const expected = await requestBody((fetch) => createAnthropic({ apiKey: 'x', fetch })(model), call);
    const { body } = chatOnMessages.request(asked, translationContext({ model }));
    assert.deepEqual(comparable(body), comparable(expected));
  });

const CASES = ['stream-text', 'stream-parallel-tools', 'stream-crlf', 'stream-thinking'];

for (const name of CASES)
  test(`oracle: the ai package reads the same in ${name} and in its translation`, async () => {
    await sameReading(readFileSync(join(GOLDEN, name, 'upstream.sse')));
  });

/**
 * What a Chat client cannot ask for (tools that the provider runs itself, its summary of a long conversation), and what OpenAI's
 * provider takes for text: the reason of a refusal.
 */
const READ_OTHERWISE = /advisor|code-execution|mcp|programmatic|web-search|compaction|refusal/;

test('oracle: the ai package reads the same in the recordings of providers and in their translation', async (t) => {
  const recordings = (providerRecordings() ?? []).filter(
    ({ dialect, isStream, name }) => dialect === 'anthropic' && isStream && !READ_OTHERWISE.test(name),
  );
  if (recordings.length === 0) t.diagnostic('Set SLUICE_RECORDINGS to the folder of recordings to have them read');
  for (const { bytes } of recordings) await sameReading(bytes);
});

async function sameReading(bytes: Buffer): Promise<void> {
  const request = { stream: true, stream_options: { include_usage: true } };
  const text = translated(chatOnMessages.stream(translationContext({ request })), [bytes]);
  const expected = await reading((fetch) => createAnthropic({ apiKey: 'x', fetch })('claude-sonnet-4-5'), bytes);
  const actual = await reading((fetch) => createOpenAI({ apiKey: 'x', fetch }).chat('m'), Buffer.from(text));
  assert.ok(expected.finish !== 'error');
  assert.deepEqual(actual, expected);
}

async function requestBody(modelOf: ModelOf, prompt: Prompt): Promise<JsonObject> {
  let body: JsonObject = {};
  const fetch: Fetch = (_url, init) => {
    body = JSON.parse(init?.body as string) as JsonObject;
    return Promise.resolve(new Response('{}', { status: 400 }));
  };
  await assert.rejects(
    generateText({ ...prompt, model: modelOf(fetch), maxRetries: 0 } as Parameters<typeof generateText>[0]),
  );
  return body;
}

/** A text alone and a list of one text say the same. */
function comparable(value: JsonValue): unknown {
  return JSON.parse(
    JSON.stringify(value, (name, member: JsonValue) => {
      const isContent = name === 'content' || name === 'system';
      return isContent && typeof member === 'string' ? [{ type: 'text', text: member }] : member;
    }),
    (_name, member: JsonValue) => (isObject(member) && member['$schema'] ? { ...member, $schema: undefined } : member),
  );
}

async function reading(modelOf: ModelOf, bytes: Buffer) {
  const headers = { 'content-type': 'text/event-stream' };
  const fetch: Fetch = () => Promise.resolve(new Response(new Uint8Array(bytes), { headers }));
  const read = streamText({ model: modelOf(fetch), prompt: 'x', maxRetries: 0 });
  const calls = await read.toolCalls;
  const usage = await read.totalUsage;
  return {
    text: await read.text,
    calls: calls.map(({ toolCallId, toolName, input }) => ({ toolCallId, toolName, input: input as unknown })),
    finish: await read.finishReason,
    input: usage.inputTokens,
    cached: usage.inputTokenDetails.cacheReadTokens,
    output: usage.outputTokens,
  };
}
