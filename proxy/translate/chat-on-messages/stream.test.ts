import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import OpenAI from 'openai';
import { fixtures, providerRecordings } from '../../../test/support/clients/recordings.ts';
import { caseStream, FAREWELL, translated, translationContext } from '../../../test/support/translate/golden-case.ts';
import { foldStream } from '../../fold/fold-stream.ts';
import type { JsonObject, TranslationContext } from '../translator.ts';
import { chatOnMessages } from './chat-on-messages.ts';

const GOLDEN = join(import.meta.dirname, '../../../test/golden/translate/chat-on-messages');
const WITH_USAGE = { stream: true, stream_options: { include_usage: true } };

const goldens = readdirSync(GOLDEN).flatMap((name) => {
  const bytes = caseStream(join(GOLDEN, name));
  return bytes === undefined ? [] : [{ name: `the golden case ${name}`, bytes }];
});
const provider = providerRecordings() ?? [];
const recorded = [...fixtures(), ...provider].filter(({ isStream, dialect }) => isStream && dialect === 'anthropic');
const streams = [...goldens, ...recorded];

test('recordings of providers are translated as well where they are there', (t) => {
  if (provider.length === 0) t.diagnostic('Set SLUICE_RECORDINGS to the folder of recordings to have them translated');
  assert.ok(goldens.length > 15);
});

for (const { name, bytes } of streams) {
  const upstream = foldStream('messages', bytes);
  // An answer whose beginning is missing is none for others; only its golden case tells what becomes of it.
  if (name.endsWith('stream-without-beginning')) continue;

  if (upstream?.whole)
    test(`${name}: the openai SDK accumulates the translated stream into the translated answer`, async () => {
      const text = translated(chatOnMessages.stream(contextOf()), [bytes]);
      const answer = chatOnMessages.answer(upstream.answer, contextOf());
      assert.deepEqual(comparable(await accumulate(text)), comparable(answer));
    });
  else
    test(`${name}: the openai SDK throws what ended the stream`, async () => {
      const text = translated(chatOnMessages.stream(contextOf()), [bytes]);
      await assert.rejects(accumulate(text), (error) => error instanceof OpenAI.APIError && error.message !== '');
      assert.doesNotMatch(text, /^data: \[DONE\]/m);
      assert.equal(text.match(/^data: \{"error"/gm)?.length, 1);
    });

  test(`${name}: folded, the translated stream is the translated answer`, () => {
    const text = translated(chatOnMessages.stream(contextOf()), [bytes]);
    const folded = foldStream('chat', Buffer.from(text));
    assert.equal(folded?.whole ?? false, upstream?.whole ?? false);
    if (!upstream?.whole) return;
    const answer = chatOnMessages.answer(upstream.answer, contextOf());
    assert.deepEqual(comparable(folded?.answer, []), comparable(answer, []));
  });
}

test('a client that did not ask for usage gets none', () => {
  const { bytes } = streams.find(({ name }) => name === 'anthropic/text.sse') ?? { bytes: Buffer.alloc(0) };
  const without = translated(chatOnMessages.stream(translationContext()), [bytes]);
  const asked = translated(chatOnMessages.stream(contextOf()), [bytes]);
  assert.ok(without.includes('[DONE]'));
  assert.doesNotMatch(without, /,"usage":/);
  assert.equal(asked.match(/"choices":\[\],"usage":\{/g)?.length, 1);
});

test('each event leaves with the chunk that completes it', () => {
  const stream = chatOnMessages.stream(translationContext());
  const event = (data: object) => Buffer.from(`data: ${JSON.stringify(data)}\n\n`);
  const first = stream.push(event({ type: 'message_start', message: { id: 'm', model: 'c' } })).toString();
  assert.match(first, /"delta":\{"role":"assistant"\}/);
  const delta = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } };
  assert.match(stream.push(event(delta)).toString(), /"delta":\{"content":"Hi"\}/);
  assert.equal(stream.push(event({ type: 'ping' })).length, 0);
});

test('farewell() is said once, and not behind a whole answer or an error of the upstream', () => {
  const cut = chatOnMessages.stream(translationContext());
  assert.match(cut.farewell(FAREWELL).toString(), /^data: \{"error":\{"message":"The upstream ended/);
  assert.equal(cut.farewell(FAREWELL).length, 0);
  const failed = chatOnMessages.stream(translationContext());
  failed.push(Buffer.from('data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'));
  assert.equal(failed.farewell(FAREWELL).length, 0);
  const whole = chatOnMessages.stream(translationContext());
  whole.push(Buffer.from('data: {"type":"message_stop"}\n\n'));
  assert.equal(whole.end().whole, true);
  assert.equal(whole.farewell(FAREWELL).length, 0);
});

function contextOf(): TranslationContext {
  return translationContext({ request: WITH_USAGE });
}

async function accumulate(text: string): Promise<unknown> {
  const fetch = (): Promise<Response> =>
    Promise.resolve(new Response(text, { headers: { 'content-type': 'text/event-stream' } }));
  const client = new OpenAI({ apiKey: 'none', maxRetries: 0, fetch });
  return await client.chat.completions.stream({ model: 'm', messages: [] }).finalChatCompletion();
}

/** Members that the SDK adds, or of which it keeps the last fragment alone as they are not of OpenAI's API. */
const OF_SDK = ['parsed', 'parsed_arguments', 'reasoning_content', 'thinking_blocks'];

/** Arguments are compared as values; a text without characters counts as none. */
function comparable(answer: unknown, without: readonly string[] = OF_SDK): unknown {
  return JSON.parse(
    JSON.stringify(answer, (name, value: unknown) => {
      if (without.includes(name) || value === null) return undefined;
      if (name === 'content' && value === '') return undefined;
      return name === 'arguments' && typeof value === 'string' ? (JSON.parse(value) as JsonObject) : value;
    }),
  );
}
