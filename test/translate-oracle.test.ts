/**
 * A second opinion: the `ai` package speaks both wire forms from one prompt. What its Anthropic provider asks, translated, must be
 * what its OpenAI provider asks; what its OpenAI provider reads in an answer must be what its Anthropic provider reads in the translation.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, jsonSchema, type LanguageModel, type ModelMessage, streamText, type ToolSet, tool } from 'ai';
import fc from 'fast-check';
import { messagesOnChat } from '../proxy/translate/messages-on-chat/messages-on-chat.ts';
import type { JsonObject } from '../proxy/translate/translator.ts';
import { providerRecordings } from './support/clients/recordings.ts';
import { translated, translationContext } from './support/translate/golden-case.ts';

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

const TOOLS: ToolSet = {
  weather: tool({
    description: 'Weather of a city',
    inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }),
  }),
  now: tool({ inputSchema: jsonSchema({ type: 'object', properties: {} }) }),
};
const words = fc.string({ minLength: 1, maxLength: 12 }).map((text) => `w${text}`);

/** One exchange of a conversation: the user asks, the assistant answers or calls tools and answers then. */
const exchange = fc
  .record({
    ask: words,
    image: fc.boolean(),
    calls: fc.array(fc.record({ city: words, result: words }), { maxLength: 3 }),
    said: words,
  })
  .map(({ ask, image, calls, said }): ModelMessage[] => [
    {
      role: 'user',
      content: image
        ? [
            { type: 'text', text: ask },
            { type: 'file', data: 'aGVsbG8=', mediaType: 'image/png' },
          ]
        : ask,
    },
    ...(calls.length > 0 ? toolTurns(calls) : []),
    { role: 'assistant', content: said },
  ]);

const request = fc.record({
  system: words,
  turns: fc.array(exchange, { maxLength: 4 }),
  last: words,
  temperature: fc.constantFrom(0, 0.5, 1),
  stopSequences: fc.array(words, { minLength: 1, maxLength: 3 }),
  toolChoice: fc.constantFrom('auto', 'required', 'none', { type: 'tool', toolName: 'now' } as const),
});

test('oracle: a translated request is what the ai package asks a Chat Completions provider', async () => {
  await fc.assert(
    fc.asyncProperty(request, async ({ turns, last, ...call }) => {
      const messages = numbered([...turns.flat(), { role: 'user', content: last }]);
      const prompt = { ...call, messages, tools: TOOLS, maxOutputTokens: 100 };
      const asked = await requestBody((fetch) => createAnthropic({ apiKey: 'x', fetch })('m'), prompt);
      const expected = await requestBody((fetch) => createOpenAI({ apiKey: 'x', fetch }).chat('m'), prompt);
      const context = translationContext({ model: 'm', flavor: 'vllm' });

      assert.deepEqual(comparable(messagesOnChat.request(asked, context).body), comparable(expected));
    }),
    { numRuns: 60 },
  );
});

const CASES = ['text', 'stream-parallel-tools', 'stream-text-then-tool', 'stream-content-filter', 'usage-cached'];

test('oracle: the ai package reads the same in a stream and in its translation', async () => {
  const folder = join(import.meta.dirname, 'golden/translate/messages-on-chat');
  const cases = CASES.map((name) => ({ name, bytes: readFileSync(join(folder, name, 'upstream.sse')) }));
  const recorded = (providerRecordings() ?? []).filter(
    ({ name, isStream }) => isStream && name.startsWith('openai-chat'),
  );
  for (const { name, bytes } of [...cases, ...recorded]) {
    // xAI counts reasoning beside the completion, which OpenAI's provider does not know.
    const flavor = name.includes('xai') ? 'xai' : 'openai';
    const text = translated(messagesOnChat.stream(translationContext({ flavor })), [bytes]);
    const expected = await reading((fetch) => createOpenAI({ apiKey: 'x', fetch }).chat('m'), bytes);
    const actual = await reading((fetch) => createAnthropic({ apiKey: 'x', fetch })('m'), Buffer.from(text));
    assert.deepEqual(actual, flavor === 'xai' ? { ...expected, output: 342 } : expected, name);
  }
});

function toolTurns(calls: readonly { city: string; result: string }[]): ModelMessage[] {
  return [
    {
      role: 'assistant',
      content: calls.map(({ city }) => ({ type: 'tool-call', toolCallId: '', toolName: 'weather', input: { city } })),
    },
    {
      role: 'tool',
      content: calls.map(({ result }) => ({
        type: 'tool-result',
        toolCallId: '',
        toolName: 'weather',
        output: { type: 'text', value: result },
      })),
    },
  ];
}

/** Calls and results get ids of their own, the nth result that of the nth call. */
function numbered(messages: readonly ModelMessage[]): ModelMessage[] {
  const counts = { 'tool-call': 0, 'tool-result': 0 };
  return messages.map((message) => {
    if (typeof message.content === 'string') return message;
    const content = message.content.map((part) =>
      part.type === 'tool-call' || part.type === 'tool-result'
        ? { ...part, toolCallId: `call_${counts[part.type]++}` }
        : part,
    );
    return { ...message, content } as ModelMessage;
  });
}

type ModelOf = (fetch: typeof globalThis.fetch) => LanguageModel;

async function requestBody(modelOf: ModelOf, prompt: object): Promise<JsonObject> {
  let body: JsonObject = {};
  const fetch: typeof globalThis.fetch = (_url, init) => {
    body = JSON.parse(init?.body as string) as JsonObject;
    return Promise.resolve(new Response('{}', { status: 400 }));
  };
  await assert.rejects(generateText({ model: modelOf(fetch), maxRetries: 0, ...(prompt as { prompt: string }) }));
  return body;
}

/** Without what the two providers leave to taste: lists of one text, and which of the two wins where there are both. */
function comparable(body: JsonObject): JsonObject {
  return { ...body, messages: (body['messages'] as JsonObject[]).map(flat) };
}

function flat(message: JsonObject): JsonObject {
  const { content } = message;
  if (message['role'] === 'assistant') return { ...message, content: content ?? '' };
  if (!Array.isArray(content) || !content.every((part) => (part as JsonObject)['type'] === 'text')) return message;
  return { ...message, content: content.map((part) => (part as { text: string }).text).join('\n\n') };
}

async function reading(modelOf: ModelOf, bytes: Buffer) {
  const headers = { 'content-type': 'text/event-stream' };
  const fetch: typeof globalThis.fetch = () => Promise.resolve(new Response(new Uint8Array(bytes), { headers }));
  const read = streamText({ model: modelOf(fetch), prompt: 'x', tools: TOOLS, maxRetries: 0 });
  const calls = await read.toolCalls;
  const usage = await read.totalUsage;
  return {
    text: await read.text,
    calls: calls.map(({ toolCallId, toolName, input }) => ({ toolCallId, toolName, input: input as unknown })),
    finish: await read.finishReason,
    input: usage.inputTokens,
    output: usage.outputTokens,
  };
}
