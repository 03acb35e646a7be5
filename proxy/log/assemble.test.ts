import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Assembled, type AssembleRules, assembleAnswer } from './assemble.ts';

const STREAM = ['content-type', 'text/event-stream'];
const NO_RULES: AssembleRules = { jsonPaths: [], patterns: [] };

const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const started = (extra: string): string =>
  `event: message_start\ndata: {"type":"message_start","message":{"content":[],"extra":${extra}}}\n\n`;
const END = event({ type: 'message_stop' });
const said = (text: string): string =>
  event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
const TEXT = event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
const TOOL = event({ type: 'content_block_start', index: 1, content_block: { type: 'tool_use', input: {} } });
const asked = (partial_json: string): string =>
  event({ type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json } });

function assembled(shown: string, rules = NO_RULES): Promise<Assembled> {
  return assembleAnswer('/v1/messages', STREAM, Buffer.from(shown), rules);
}

describe('assembleAnswer()', () => {
  it('leaves out an answer that nests too deep to be written, and throws nothing', async () => {
    assert.deepEqual((await assembled(started('[1]') + END)).answer, { content: [], extra: [1] });
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    assert.deepEqual(await assembled(started(deep) + END), { answer: undefined, isSpoiled: false });
  });

  it('reads masks that stand for numbers and members, in events and in the arguments of tools', async () => {
    const shown = [
      started('{"n":-1[redacted].5,"m":[[redacted],2[redacted]3],[redacted]}'),
      TOOL,
      asked('{"user":"bob", [redacted], "n":'),
      asked('41[redacted]}'),
      END,
    ];
    const input = { user: 'bob', '[redacted]': '[redacted]', n: '[redacted]' };
    const extra = { n: '[redacted]', m: ['[redacted]', '[redacted]'], '[redacted]': '[redacted]' };
    assert.deepEqual(await assembled(shown.join('')), {
      answer: { content: [{ type: 'tool_use', input }], extra },
      isSpoiled: false,
    });
  });

  it('says so when a mask broke an event, and folds the others', async () => {
    const broken = said('one two').replace('two"', '[redacted]');
    const { answer, isSpoiled } = await assembled(started('1') + TEXT + said('a') + broken + said('b') + END);
    assert.deepEqual([answer?.['content'], isSpoiled], [[{ type: 'text', text: 'ab' }], true]);
    assert.deepEqual(await assembled('[redacted]'), { answer: undefined, isSpoiled: true });
    const input = await assembled(started('1') + TOOL + asked('{"a":[redacted]"b":1}') + END);
    assert.deepEqual([input.answer?.['content'], input.isSpoiled], [[{ type: 'tool_use', input: {} }], true]);
  });

  it('takes an event that was cut for no broken one', async () => {
    const cut = said('[redacted] and').slice(0, -8);
    const { answer, isSpoiled } = await assembled(started('1') + TEXT + said('a') + cut);
    assert.deepEqual([answer?.['content'], isSpoiled], [[{ type: 'text', text: 'a' }], false]);
  });

  it('hides what matches only when it is put together', async () => {
    const patterns = ['"extra":1'];
    const { answer, isSpoiled } = await assembled(started('1').replace(':1', ': 1') + END, { jsonPaths: [], patterns });
    assert.deepEqual([answer, isSpoiled], [{ content: [], '[redacted]': '[redacted]' }, false]);
    const byPath = await assembled(started('1') + END, { jsonPaths: [['extra']], patterns: [] });
    assert.deepEqual(byPath.answer, { content: [], extra: '[redacted]' });
  });
});
