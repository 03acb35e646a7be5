/** Client libraries that people build on stream through us: the AI SDK, and LangChain. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { ChatAnthropic } from '@langchain/anthropic';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, type LanguageModel, streamText } from 'ai';
import { ANSWER, MODEL, PROMPT, type Served, serveBothDialects, WORDS } from '../support/clients/both-dialects.ts';
import { takeRecords } from '../support/clients/records.ts';

let served: Served;
before(async () => {
  served = await serveBothDialects();
});
after(() => served.stop());

async function complete(count: number): Promise<void> {
  const records = await takeRecords(served.proxy, count);
  assert.deepEqual(
    records.map(({ end, status }) => [end, status]),
    records.map(() => ['complete', 200]),
  );
}

test('the AI SDK streams and generates text by each of its providers', async () => {
  const anthropic = createAnthropic({ apiKey: 'sk-test', baseURL: `${served.url}/v1` });
  const openai = createOpenAI({ apiKey: 'sk-test', baseURL: `${served.url}/v1` });
  const models: LanguageModel[] = [anthropic(MODEL), openai.chat(MODEL), openai.responses(MODEL)];
  for (const model of models) {
    const stream = streamText({ model, prompt: PROMPT, maxRetries: 0 });
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    assert.deepEqual([text, await stream.finishReason, (await stream.usage).outputTokens], [ANSWER, 'stop', WORDS]);
    assert.equal((await generateText({ model, prompt: PROMPT, maxRetries: 0 })).text, ANSWER);
  }
  await complete(6);
});

test('the AI SDK reports a stream that was cut, and one with an error inside, as errors', async () => {
  const anthropic = createAnthropic({ apiKey: 'sk-test', baseURL: `${served.url}/v1` });
  for (const how of ['cut=6', 'error=6']) {
    const errors: unknown[] = [];
    const model = anthropic(`scripted?delay=0&${how}`);
    const stream = streamText({
      model,
      prompt: PROMPT,
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    });
    // A broken connection makes the iteration itself fail.
    const read = async (): Promise<void> => {
      for await (const _part of stream.fullStream);
    };
    await read().catch((error: unknown) => errors.push(error));
    assert.ok(errors.length > 0, how);
  }
  const records = await takeRecords(served.proxy, 2);
  assert.deepEqual(
    records.map(({ end }) => end),
    ['upstream_cut', 'upstream_error'],
  );
});

test('LangChain streams and invokes by each of its providers', async () => {
  const options = { model: MODEL, apiKey: 'sk-test', maxRetries: 0 };
  const models = [
    new ChatAnthropic({ ...options, anthropicApiUrl: served.url }),
    new ChatOpenAI({ ...options, configuration: { baseURL: `${served.url}/v1` } }),
    new ChatOpenAI({ ...options, useResponsesApi: true, configuration: { baseURL: `${served.url}/v1` } }),
  ];
  for (const model of models) {
    let text = '';
    for await (const chunk of await model.stream(PROMPT)) text += chunk.text;
    assert.equal(text, ANSWER);
    assert.equal((await model.invoke(PROMPT)).text, ANSWER);
  }
  await complete(6);
});
