import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import OpenAI from 'openai';
import { fixtures, providerRecordings, type Recording } from '../../test/support/clients/recordings.ts';
import { SseEventReader } from '../translate/sse.ts';
import type { Form } from '../translate/translator.ts';
import { foldChat } from './chat.ts';
import { foldStream } from './fold-stream.ts';
import type { Folder } from './folder.ts';
import { foldMessages } from './messages.ts';
import { foldResponses } from './responses.ts';

const FORMS: Readonly<Record<string, Form>> = {
  '/v1/messages': 'messages',
  '/v1/chat/completions': 'chat',
  '/v1/responses': 'responses',
};
const PLAIN: Readonly<Record<Form, () => Folder>> = {
  messages: foldMessages,
  chat: foldChat,
  responses: foldResponses,
};
/** Complete streams that the SDKs do not take, for reasons of their own. */
const REFUSED_BY_SDK: Readonly<Record<string, string>> = {
  'anthropic/unnamed.sse': 'it wants the names of events',
  'openai/responses.sse': 'its deltas name no item',
  'openai/responses-incomplete.sse': 'its deltas name no item',
  'anthropic/anthropic-programmatic-tool-calling.1.chunks.txt': 'it holds several answers, one behind the other',
  'openai-responses/openai-reasoning-encrypted-content.1.chunks.txt': 'it holds several answers, one behind the other',
};
/** What the SDKs add to an answer: parsed and joined forms of what is there. */
const ADDED_BY_SDK = ['parsed', 'parsed_output', 'output_parsed', 'output_text'];
/** Reasoning is not of OpenAI's API; its SDK keeps the last fragment of it alone. */
const FRAGMENTS_IN_SDK = ['reasoning_content', 'reasoning'];

const provider = (providerRecordings() ?? []).filter(({ isStream }) => isStream);
const streams = [...fixtures(), ...provider];

test('recordings of providers are folded as well where they are there', (t) => {
  if (provider.length === 0) t.diagnostic('Set SLUICE_RECORDINGS to the folder of recordings to have them folded');
  else assert.ok(provider.length >= 15);
});

for (const recording of streams) {
  test(`foldStream() tells whether ${recording.name} is whole`, () => {
    const folded = foldStream(formOf(recording), recording.bytes);
    const failedAnswer = folded?.answer['status'] === 'failed';
    assert.equal(folded?.whole ?? false, recording.end === 'complete' || failedAnswer);
  });

  if (recording.end !== 'complete' || REFUSED_BY_SDK[recording.name] !== undefined) continue;
  test(`foldStream() folds ${recording.name} into what the official SDK accumulates`, async () => {
    const folded = foldStream(formOf(recording), recording.bytes);
    assert.deepEqual(comparable(folded?.answer), comparable(await accumulate(recording)));
  });
}

test('foldStream() joins reasoning that came in fragments', (t) => {
  const recording = provider.find(({ name }) => name.includes('deepseek-reasoning'));
  if (recording === undefined) return t.skip('the recording is not here');
  const fragments = recording.bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => (JSON.parse(line.slice('data: '.length)) as OpenAI.ChatCompletionChunk).choices[0]?.delta)
    .map((delta) => (delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? '');
  const { choices } = foldStream('chat', recording.bytes)?.answer ?? {};
  const message = (choices as { message: { reasoning_content: string } }[])[0]?.message;
  assert.ok(fragments.length > 100);
  assert.equal(message?.reasoning_content, fragments.join(''));
});

/** In the last event that matters; behind it nothing is missing. */
const TERMINAL = /"type": ?"message_stop"|"type": ?"response\.(completed|incomplete|failed)"|"finish_reason": ?"/;

for (const { name, path, bytes } of streams) {
  const form = FORMS[path] ?? 'chat';
  test(`foldStream() folds ${name} wherever it is cut, and calls it whole only behind its last event`, () => {
    const terminal = bytes.toString('latin1').search(TERMINAL);
    const before = terminal === -1 ? bytes.length : terminal;
    const step = Math.max(1, Math.floor(before / 40));
    for (let end = 0; end <= before; end += step) {
      const folded = foldStream(form, bytes.subarray(0, end));
      assert.equal(folded?.whole ?? false, false, `whole after ${end} of ${bytes.length} bytes`);
    }
  });
}

/** Folded event by event, with nothing joined. */
function foldPlainly(form: Form, bytes: Buffer): { answer: unknown; whole: boolean } | undefined {
  const folder = PLAIN[form]();
  const reader = new SseEventReader(({ data }) => folder.push(data));
  reader.push(bytes);
  reader.end();
  const answer = folder.result();
  return answer && { answer, whole: folder.whole };
}

for (const recording of streams) {
  test(`foldStream() makes of ${recording.name} what its events make one by one`, () => {
    const form = formOf(recording);
    assert.deepEqual(foldStream(form, recording.bytes), foldPlainly(form, recording.bytes));
  });
}

test('foldStream() joins no events that do more than continue one text', () => {
  const text = fc.constantFrom(
    '',
    'a',
    '\\n',
    '\\"',
    '\\ud83d',
    '\\ude00',
    '\\x',
    '\t',
    '"',
    '\\',
    '{',
    '{}',
    'é',
    '"}}',
    '","content":"b',
  );
  const index = fc.constantFrom('0', '1', '"0"');
  const messages = fc
    .tuple(
      fc.constantFrom(
        'text_delta","text',
        'thinking_delta","text',
        'input_json_delta","partial_json',
        'text_delta","b":"c","text',
      ),
      index,
      text,
    )
    .map(([member, at, said]) => `{"type":"content_block_delta","index":${at},"delta":{"type":"${member}":"${said}"}}`);
  const chat = fc
    .tuple(
      fc.constantFrom(
        (said: string) => `"content":"${said}"`,
        (said: string) => `"role":"assistant","content": "${said}","refusal":null`,
        (said: string) => `"content":"${said}","reasoning_content":"r"`,
        (said: string) => `"content":[{"type":"text","text":"${said}"}]`,
        (said: string) => `"tool_calls":[{"index":0,"function":{"arguments":"${said}"}}]`,
        (said: string) => `"tool_calls":[{"index":0,"id":"i","function":{"name":"f","arguments":"${said}"}}]`,
        (said: string) => `"tool_calls":[{"index":0,"function":{"name":"f","arguments":"${said}"}}]`,
        (said: string) => `"tool_calls":[{"function":{"arguments":"${said}"}}]`,
        (said: string) => `"n":1,"list":[1],"content":"${said}"`,
        (said: string) => `"x":{"content":"${said}"},"content":""`,
      ),
      index,
      text,
      fc.constantFrom('', ',"finish_reason":"stop"', ',"logprobs":{"content":[{"token":"t"}]}'),
    )
    .map(([delta, at, said, more]) => `{"id":"c","choices":[{"index":${at},"delta":{${delta(said)}}${more}}]}`);
  const opened = [
    '{"type":"message_start","message":{"content":[]}}',
    '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","input":{}}}',
  ];
  // Runs, as nothing is joined in what never comes twice.
  const runs = (event: fc.Arbitrary<string>) =>
    fc
      .array(fc.tuple(fc.array(event, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 4 })))
      .map((all) => all.flatMap(([events, times]) => Array.from({ length: times }, () => events).flat()));
  const check = (form: Form, events: readonly string[]): void => {
    const bytes = Buffer.from(events.map((data) => `data: ${data}\n\n`).join(''));
    assert.deepEqual(foldStream(form, bytes), foldPlainly(form, bytes));
  };
  fc.assert(
    fc.property(runs(messages), (events) => check('messages', [...opened, ...events])),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(runs(chat), (events) => check('chat', events)),
    { numRuns: 1000 },
  );
});

test('foldStream() never throws on broken input', () => {
  const event = fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom(
      '{"type":"message_start","message":{"content":1,"usage":[]}}',
      '{"type":"message_start"}',
      '{"type":"content_block_start","index":"x","content_block":[]}',
      '{"type":"content_block_delta","index":"x","delta":{"type":"input_json_delta","partial_json":"{\\"a"}}',
      '{"type":"message_delta","delta":null,"usage":7}',
      '{"choices":[{"index":1e9,"delta":{"tool_calls":[{"index":1e12},null]}},null,3]}',
      '{"choices":[{"delta":{"__proto__":{"a":1},"content":5},"logprobs":{"content":[1]}}]}',
      '{"choices":[{"delta":{"content":"x","tool_calls":"y"}}]}',
      '{"type":"response.created","response":3}',
      '{"type":"response.output_item.added","item":{"content":[1]}}',
      '{"type":"response.output_text.delta","delta":"x","content_index":-1}',
      '{"type":"response.refusal.delta","delta":"x"}',
      `{"choices":[{"delta":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}]}`,
    ),
  );
  fc.assert(
    fc.property(fc.array(event), fc.constantFrom<Form>('messages', 'chat', 'responses'), (events, form) => {
      const folded = foldStream(form, Buffer.from(events.map((data) => `data: ${data}\n\n`).join('')));
      assert.equal(typeof (folded?.whole ?? false), 'boolean');
    }),
    { numRuns: 300 },
  );
});

test('foldStream() answers undefined where no answer begins', () => {
  for (const form of ['messages', 'chat', 'responses'] as const)
    for (const text of ['', 'data: ', '<html>', 'event: ping\ndata: {"type":"ping"}\n\n', 'data: [DONE]\n\n'])
      assert.equal(foldStream(form, Buffer.from(text)), undefined);
});

/** The answer as the provider's own SDK puts it together. */
async function accumulate({ path, bytes }: Recording): Promise<unknown> {
  const fetch = (): Promise<Response> =>
    Promise.resolve(new Response(new Uint8Array(bytes), { headers: { 'content-type': 'text/event-stream' } }));
  const openai = new OpenAI({ apiKey: 'none', maxRetries: 0, fetch });
  if (path === '/v1/chat/completions')
    return await openai.chat.completions.stream({ model: 'm', messages: [] }).finalChatCompletion();
  if (path === '/v1/responses') return await openai.responses.stream({ model: 'm', input: '' }).finalResponse();
  const anthropic = new Anthropic({ apiKey: 'none', maxRetries: 0, fetch });
  return await anthropic.beta.messages.stream({ model: 'm', max_tokens: 1, messages: [] }).finalMessage();
}

/** What both have to agree on: members without a value count as absent. */
function comparable(answer: unknown): unknown {
  const left = new Set([...ADDED_BY_SDK, ...FRAGMENTS_IN_SDK]);
  return JSON.parse(
    JSON.stringify(answer ?? null, (name, value: unknown) => (left.has(name) || value === null ? undefined : value)),
  );
}

function formOf({ path }: Recording): Form {
  const form = FORMS[path];
  assert.ok(form);
  return form;
}
