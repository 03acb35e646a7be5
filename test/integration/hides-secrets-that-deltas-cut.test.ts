/** Promise: what a pattern hides is in no record, file, search or export, also where a model's deltas cut it in pieces; the client gets every byte. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CONFIG_FILE } from '../../contract/names.ts';
import { foldStream } from '../../proxy/fold/fold-stream.ts';
import type { ExchangeRecord } from '../../proxy/log/record.ts';
import type { Form } from '../../proxy/translate/translator.ts';
import { find, get, kept } from '../support/audit/conversations.ts';
import { takeOne } from '../support/clients/records.ts';
import { ProxyProcess, post, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

/** Each as a model's tokens cut it: no piece may be found anywhere, alone or with the others. */
const KEY = ['sk-QZX7W', 'KVJ4PYTR', 'GH9LMBNV'];
const MAIL = ['zebedee', '.quux@can', 'ary.exam', 'ple'];
const CARD = ['4929 71', '53 8046', ' 2718 28', '18'];
const SECRETS = [KEY, MAIL, CARD].map((pieces) => pieces.join(''));
const PIECES = [...KEY, ...MAIL, ...CARD].filter(({ length }) => length > 5);
const REDACTED = '[redacted]';
/** Stands beside each secret, to show that a place was looked at that holds what was said. */
const BESIDE = 'heronry';

const spec = (url: string): Spec => ({
  upstreams: [
    { name: 'claude', dialect: 'anthropic', url },
    { name: 'gpt', dialect: 'openai', url: `${url}/v1` },
  ],
  routes: [
    { name: 'translated', match: { paths: ['/v1/messages'], models: ['gpt-*'] }, upstreams: [{ name: 'gpt' }] },
    { name: 'messages', match: { paths: ['/v1/messages'] }, upstreams: [{ name: 'claude' }] },
    { name: 'openai', upstreams: [{ name: 'gpt' }] },
  ],
  logging: {
    capture: {
      assemble: true,
      redact: [
        { pattern: '\\bsk-[A-Za-z0-9_-]{16,}' },
        { pattern: '[a-z.]+@[a-z.]+\\.[a-z]{2,}' },
        { pattern: '[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}' },
      ],
    },
    audit: { enabled: true },
    targets: [
      { name: 'stdout', stdout: {} },
      { name: 'file', file: { path: 'records.ndjson' } },
      // Nobody listens there: its records stay in the spool.
      { name: 'down', http: { url: 'http://127.0.0.1:9/' } },
    ],
  },
});

const data = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { type: string; [member: string]: unknown }): string => `event: ${value.type}\n${data(value)}`;
/** A key behind a line end that JSON escapes, an address and a card number, in pieces, and the words around them. */
const said = (): string[] => [`The ${BESIDE}:\n`, ...KEY, ' by ', ...MAIL, ', card ', ...CARD, '.'];
const args = (): string[] => [`{"${BESIDE}": "a\\n`, ...KEY, '", "card":"', ...CARD, '"}'];

function messages(): string[] {
  const blocks = [
    {
      start: { type: 'thinking', thinking: '', signature: '' },
      type: 'thinking_delta',
      member: 'thinking',
      texts: said(),
    },
    { start: { type: 'text', text: '' }, type: 'text_delta', member: 'text', texts: said() },
    {
      start: { type: 'tool_use', id: 'toolu_1', name: 'send', input: {} },
      type: 'input_json_delta',
      member: 'partial_json',
      texts: args(),
    },
  ];
  return [
    named({ type: 'message_start', message: { id: 'm', role: 'assistant', model: 'claude-x', content: [] } }),
    ...blocks.flatMap(({ start, type, member, texts }, index) => [
      named({ type: 'content_block_start', index, content_block: start }),
      ...texts.map((text) => named({ type: 'content_block_delta', index, delta: { type, [member]: text } })),
      named({ type: 'content_block_stop', index }),
    ]),
    named({ type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 5 } }),
    named({ type: 'message_stop' }),
  ];
}

function chat(): string[] {
  const chunk = (index: number, delta: object, finish_reason: string | null = null): string =>
    data({ id: 'c', object: 'chat.completion.chunk', model: 'gpt-x', choices: [{ index, delta, finish_reason }] });
  // Two answers and a tool's arguments, word by word in turn.
  const spoken = said().flatMap((content) => [chunk(0, { content }), chunk(1, { content })]);
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'send', arguments: '' } };
  const asked = args().map((text) => chunk(0, { tool_calls: [{ index: 0, function: { arguments: text } }] }));
  const ends = [chunk(0, {}, 'tool_calls'), chunk(1, {}, 'stop'), 'data: [DONE]\n\n'];
  return [chunk(0, { role: 'assistant', tool_calls: [call] }), ...spoken, ...asked, ...ends];
}

function responses(): string[] {
  const text = said().join('');
  const content = [{ type: 'output_text', text, annotations: [] }];
  const place = { output_index: 0, content_index: 0, item_id: 'i' };
  const response = { id: 'r', object: 'response', model: 'gpt-x', output: [] };
  return [
    named({ type: 'response.created', response }),
    named({ type: 'response.output_item.added', output_index: 0, item: { type: 'message', id: 'i', content: [] } }),
    ...said().map((delta) => named({ type: 'response.output_text.delta', ...place, delta })),
    named({ type: 'response.output_text.done', ...place, text }),
    named({ type: 'response.completed', response: { ...response, output: [{ type: 'message', id: 'i', content }] } }),
  ];
}

/** One exchange whose chunks end anywhere; the client's bytes and the record's body. */
async function talk(
  { proxy, upstream }: { proxy: ProxyProcess; upstream: RawUpstream },
  path: string,
  model: string,
  answer: readonly string[],
): Promise<{ got: Buffer; record: ExchangeRecord; sent: Buffer }> {
  const sent = Buffer.from(answer.join(''));
  const prompt = `the ${BESIDE}: ${SECRETS.join(' and ')}`;
  const asked = JSON.stringify({ model, stream: true, max_tokens: 9, messages: [{ role: 'user', content: prompt }] });
  // A character may be escaped that need not be.
  const client = await RawClient.send(proxy.listenPort, post(path, asked.replaceAll('@', '\\u0040')));
  const exchange = await upstream.next();
  await exchange.openStream();
  for (let at = 0; at < sent.length; at += 97) await exchange.chunk(sent.subarray(at, at + 97));
  await exchange.endChunks();
  const { body: got } = await client.answer();
  client.destroy();
  return { got, record: await takeOne(proxy), sent };
}

function assertHidden(place: string, text: string): void {
  for (const piece of [...PIECES, ...SECRETS]) assert.ok(!text.includes(piece), `${place} holds "${piece}"`);
}

/** Paths and contents, but for the config. One that goes in the meantime holds nothing. */
function filesBelow(directory: string): (readonly [file: string, content: string])[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.flatMap((entry) => {
    const file = join(entry.parentPath, entry.name);
    if (!entry.isFile() || entry.name === CONFIG_FILE || !existsSync(file)) return [];
    return [[file, readFileSync(file, 'latin1')] as const];
  });
}

test('what deltas cut is in no record, file, search or export, and the client gets every byte', async (t) => {
  const upstream = await RawUpstream.start();
  t.after(() => upstream.close());
  const proxy = await ProxyProcess.start(spec(upstream.url));
  t.after(() => proxy.stop());
  const talks: [string, string, Form, string[], number][] = [
    ['/v1/messages', 'claude-x', 'messages', messages(), 8],
    ['/v1/chat/completions', 'gpt-x', 'chat', chat(), 8],
    ['/v1/responses', 'gpt-x', 'responses', responses(), 9],
  ];
  for (const [path, model, form, answer, hidden] of talks) {
    const { got, record, sent } = await talk({ proxy, upstream }, path, model, answer);
    assert.deepEqual(got, sent);
    const { body, arrivals, assembled } = record.response ?? {};
    const text = body?.text ?? '';
    assert.equal(text.split(REDACTED).length - 1, hidden, form);
    assert.deepEqual([record.redactions.patterns, body?.bytes], [hidden + SECRETS.length, sent.length]);
    assert.equal(body?.sha256, createHash('sha256').update(sent).digest('hex'));
    assert.equal(
      arrivals?.bytes.reduce((sum, bytes) => sum + bytes, 0),
      sent.length,
    );
    assert.equal(text.split('\n\n').length, sent.toString().split('\n\n').length);
    assert.deepEqual(foldStream(form, Buffer.from(text))?.answer, assembled);
    assert.match(JSON.stringify(assembled), /heronry/);
  }
  const { got } = await talk({ proxy, upstream }, '/v1/messages', 'gpt-x', chat());
  assert.match(JSON.stringify(foldStream('messages', got)?.answer), /zebedee\.quux@canary\.example/);

  await kept(proxy, 4);
  const { hits } = await find(proxy, `q=${BESIDE}`);
  assert.equal(hits.length, 4);
  for (const word of ['zebedee', '4929', `"${KEY.join('')}"`])
    assert.deepEqual((await find(proxy, `q=${encodeURIComponent(word)}`)).hits, []);
  const exported = await get(proxy, `/gateway/audit?q=${BESIDE}`, { accept: 'application/x-ndjson' });
  assert.equal(exported.text.trimEnd().split('\n').length, 4);
  assertHidden('the export', exported.text + JSON.stringify(hits));
  for (const { id } of hits) {
    const shown = await get(proxy, `/gateway/audit/${id}/conversation`);
    assert.match(shown.text, /heronry/);
    assertHidden('a conversation', shown.text);
  }
  assertHidden('the metrics', (await proxy.admin('/metrics')).text);

  for (const [file, content] of filesBelow(proxy.directory)) assertHidden(file, content);
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
  assertHidden('the output', proxy.output);
  const files = filesBelow(proxy.directory);
  for (const [file, content] of files) assertHidden(file, content);
  const telling = files.flatMap(([file, content]) => (content.includes(BESIDE) ? [file] : []));
  assert.ok(
    telling.some((file) => file.endsWith('records.ndjson')) && telling.some((file) => file.includes('/spool/')),
    telling.join(),
  );
});
