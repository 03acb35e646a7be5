import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { markProgress } from '#contract/progress.ts';
import { PaceStream, paceFor } from './pace-stream.ts';
import { Pacer } from './pacer.ts';
import { RawEvents } from './raw-events.ts';
import { type PacedForm, splitWords, wordsOf } from './words.ts';

const PACING = { minMs: 10, maxMs: 50, maxLagMs: 200, nativePaths: false };
const STREAMS = join(import.meta.dirname, '../../test/fixtures/streams');

function textEvent(text: string): Buffer {
  const data = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } };
  return Buffer.from(`event: content_block_delta\ndata: ${JSON.stringify(data)}\n\n`);
}

function chatEvent(delta: object, more: object = {}): Buffer {
  const choice = { index: 0, delta, logprobs: null, finish_reason: null, ...more };
  return Buffer.from(`data: ${JSON.stringify({ id: 'c', choices: [choice] })}\n\n`);
}

function pacer(form: PacedForm = 'messages', random = (): number => 0): Pacer {
  return new Pacer({ form, pacing: PACING, random });
}

function textOf(bytes: Buffer): string {
  let text = '';
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === '[DONE]') return;
      const event = JSON.parse(data) as { delta?: { text?: string }; choices?: { delta?: { content?: string } }[] };
      text += event.delta?.text ?? event.choices?.[0]?.delta?.content ?? '';
    },
  });
  parser.feed(bytes.toString('utf8'));
  return text;
}

test('words leave one by one, each at least the shortest pause after the one before', () => {
  const paced = pacer();
  paced.push(textEvent('One two three'), 0);
  const leaving: [number, string][] = [];
  for (let now = 0; paced.nextDueMs !== undefined; now += 1) {
    for (const bytes of paced.due(now)) leaving.push([now, textOf(bytes)]);
  }
  assert.deepEqual(leaving, [
    [0, 'One'],
    [10, ' two'],
    [20, ' three'],
  ]);
});

test('a word that arrives in parts, and white space alone, wait for nothing; a slow upstream is not slowed down', () => {
  const paced = pacer('messages', () => 1);
  paced.push(textEvent('Stre'), 0);
  paced.push(textEvent('ams'), 1);
  assert.equal(Buffer.concat(paced.due(1)).toString(), Buffer.concat([textEvent('Stre'), textEvent('ams')]).toString());
  paced.push(textEvent('\n\n'), 2);
  assert.equal(paced.due(2).length, 1);
  paced.push(textEvent('flow'), 3);
  assert.equal(paced.nextDueMs, 50);
  paced.due(50);
  paced.push(textEvent(' on'), 300);
  assert.equal(paced.due(300).length, 1);
});

test('other events stay untouched and in order behind the words before them', () => {
  const stop = Buffer.from('event: content_block_stop\r\ndata: {"type":"content_block_stop", "index":0}\r\n\r\n');
  const paced = pacer();
  paced.push(Buffer.concat([textEvent('a b'), stop]), 0);
  assert.equal(Buffer.concat(paced.due(9)).toString(), textEvent('a').toString());
  assert.equal(Buffer.concat(paced.due(10)).toString(), Buffer.concat([textEvent(' b'), stop]).toString());
});

test('nothing leaves later than the lag, however much faster the upstream is', () => {
  const word = fc.constantFrom('a', ' b', ' wörd 🌊 x', '\n', 'c d  e ', ' 川 は ');
  fc.assert(
    fc.property(fc.array(fc.tuple(word, fc.nat({ max: 40 })), { maxLength: 60 }), fc.nat(), (arrivals, seed) => {
      let turn = seed;
      const paced = pacer('messages', () => (turn = (turn * 7919 + 13) % 1000) / 1000);
      let now = 0;
      const out: Buffer[] = [];
      for (const [text, pause] of arrivals) {
        now += pause;
        out.push(...paced.due(now));
        paced.push(textEvent(text), now);
        assert.ok((paced.nextDueMs ?? now) <= now + PACING.maxLagMs);
      }
      out.push(...paced.due(now + PACING.maxLagMs));
      assert.equal(paced.nextDueMs, undefined);
      assert.equal(textOf(Buffer.concat(out)), arrivals.map(([text]) => text).join(''));
    }),
  );
});

test('words keep every character of white space', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => wordsOf(text).join('') === text));
  assert.deepEqual(wordsOf('  a\t b\n\nc \u00a0'), ['  a', '\t b', '\n\nc', ' \u00a0']);
});

/** Without line ends at their edges: the LF of a CRLF that was cut stands before the next event. */
function eventsOf(parts: readonly Buffer[]): string[] {
  return parts.map((part) => part.toString('latin1').trim()).filter((text) => text !== '');
}

test('recorded streams: cut at every byte the events are the same, and so is the text of the paced stream', () => {
  for (const [file, form] of [
    ['anthropic/text.sse', 'messages'],
    ['anthropic/tool-use.sse', 'messages'],
    ['anthropic/crlf.sse', 'messages'],
    ['anthropic/cr.sse', 'messages'],
    ['anthropic/bom-comments.sse', 'messages'],
    ['openai/chat.sse', 'chat'],
    ['openai/chat-crlf.sse', 'chat'],
    ['openai/chat-tool-calls.sse', 'chat'],
    ['openai/responses.sse', 'responses'],
  ] as const) {
    const bytes = readFileSync(join(STREAMS, file));
    const whole = new RawEvents();
    const wanted = eventsOf([...whole.push(bytes), whole.rest()]);
    assert.ok(wanted.length > 2, file);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const events = new RawEvents();
      const parts = [...events.push(bytes.subarray(0, cut)), ...events.push(bytes.subarray(cut)), events.rest()];
      assert.ok(Buffer.concat(parts).equals(bytes), `${file} cut at ${cut}`);
      assert.deepEqual(eventsOf(parts), wanted, `${file} cut at ${cut}`);
    }
    const paced = pacer(form);
    for (const byte of bytes) paced.push(Buffer.from([byte]), 0);
    assert.equal(textOf(Buffer.concat(paced.flush())), textOf(bytes), file);
  }
});

test('chat: role and other fields stay with the first word; what is bound to its chunk is not split', () => {
  const [first, second] = splitWords(chatEvent({ role: 'assistant', content: 'a b' }), 'chat');
  assert.equal(first?.bytes.toString(), chatEvent({ role: 'assistant', content: 'a' }).toString());
  assert.equal(second?.bytes.toString(), chatEvent({ content: ' b' }).toString());
  for (const event of [
    chatEvent({ content: 'a b' }, { finish_reason: 'stop' }),
    chatEvent({ content: 'a b' }, { logprobs: { content: [] } }),
    chatEvent({ content: markProgress('🔧 Executing search…') }),
    Buffer.from(': "content"\n\n'),
  ]) {
    const pieces = splitWords(event, 'chat');
    assert.equal(pieces.length, 1);
    assert.equal(pieces[0]?.bytes, event);
  }
});

test('the stage gives everything out at the end, at once, and on flushNow()', async () => {
  const slow = { ...PACING, minMs: 9000, maxMs: 9000, maxLagMs: 60_000 };
  for (const end of [(stage: PaceStream) => stage.end(), (stage: PaceStream) => stage.flushNow()]) {
    const stage = new PaceStream({ form: 'messages', pacing: slow, random: () => 0 });
    const got: Buffer[] = [];
    stage.on('data', (bytes: Buffer) => got.push(bytes));
    stage.write(textEvent('a b c'));
    stage.write(Buffer.from('event: ping\nda'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(textOf(Buffer.concat(got)), 'a');
    end(stage);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(textOf(Buffer.concat(got)), 'a b c');
    assert.ok(Buffer.concat(got).toString().endsWith('event: ping\nda'));
    stage.destroy();
  }
});

test('an event with much around its text is not repeated for each word', () => {
  const more = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a '.repeat(4000) } };
  const raw = Buffer.from(`data: ${JSON.stringify({ ...more, extra: 'x'.repeat(100_000) })}\n\n`);
  assert.deepEqual(splitWords(raw, 'messages'), [{ bytes: raw, text: 'a '.repeat(4000) }]);
});

test('an upstream that is far ahead has to wait, and nothing is lost', async () => {
  const stage = new PaceStream({ form: 'messages', pacing: { ...PACING, maxLagMs: 300 }, random: () => 0 });
  const got: Buffer[] = [];
  stage.on('data', (bytes: Buffer) => got.push(bytes));
  const event = textEvent(` ${'x'.repeat(60_000)}`);
  let waited = false;
  for (let count = 0; count < 12; count += 1) waited = !stage.write(event) || waited;
  assert.ok(waited);
  await new Promise<void>((resolve) => stage.end(resolve));
  assert.equal(Buffer.concat(got).length, event.length * 12);
});

test('paceFor() is off by default, on native paths, for other paths and for what is no plain event stream', () => {
  const stream = ['content-type', 'text/event-stream'];
  const asked = { pacing: PACING, path: '/v1/messages', rawHeaders: stream, native: false };
  const on = paceFor(asked);
  assert.ok(on);
  on.destroy();
  assert.equal(paceFor({ ...asked, pacing: undefined }), undefined);
  assert.equal(paceFor({ ...asked, native: true }), undefined);
  assert.ok(paceFor({ ...asked, native: true, pacing: { ...PACING, nativePaths: true } }));
  assert.equal(paceFor({ ...asked, path: '/v1/embeddings' }), undefined);
  assert.equal(paceFor({ ...asked, rawHeaders: ['content-type', 'application/json'] }), undefined);
  assert.equal(paceFor({ ...asked, rawHeaders: [...stream, 'content-encoding', 'gzip'] }), undefined);
});
