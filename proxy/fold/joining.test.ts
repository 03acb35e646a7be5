import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../translate/translator.ts';
import { elementsOf, membersOf } from '../translate/wire/json.ts';
import { foldChat } from './chat.ts';
import type { GrowingFolder } from './folder.ts';
import { JoiningFolder } from './joining.ts';

/** Keeps what it is given; its events continue the text `t`. */
class Listing implements GrowingFolder {
  readonly pushed: (string | JsonObject)[] = [];
  asked = 0;
  readonly whole = true;

  push(data: string | JsonObject): void {
    this.pushed.push(data);
  }

  result(): JsonObject {
    return {};
  }

  growing({ t }: JsonObject): string | undefined {
    this.asked++;
    return typeof t === 'string' && t !== '' ? 't' : undefined;
  }
}

function folded(events: readonly (string | JsonObject)[]): Listing {
  const listing = new Listing();
  const folder = new JoiningFolder(listing);
  for (const event of events) folder.push(event);
  folder.result();
  return listing;
}

test('a run of events that differ in one text is folded as two', () => {
  const run = ['a', 'b\\n', '\\"', 'd'].map((text) => `{"n":1,"t": "${text}","m":"x"}`);
  assert.deepEqual(folded(run).pushed, [{ n: 1, t: 'a', m: 'x' }, '{"n":1,"t": "b\\n\\"d","m":"x"}']);
});

test('other events end a run, and what no string holds is folded by itself', () => {
  const more = ['x', '{"t":"f"}', { t: 'g' }, '{"t":"h"}'];
  const events = ['{"t":"a"}', '{"t":"b"}', '{"t":"\t"}', '{"t":"c"}', '{"u":1,"t":"d"}', '{"t":"e"}', ...more];
  assert.deepEqual(folded(events).pushed, [
    { t: 'a' },
    '{"t":"b"}',
    '{"t":"\t"}',
    { t: 'c' },
    { u: 1, t: 'd' },
    { t: 'e' },
    'x',
    { t: 'f' },
    { t: 'g' },
    { t: 'h' },
  ]);
});

test('of two strings under one name the one that goes on is found, or none', () => {
  assert.deepEqual(folded(['{"t":"a","x":{"t":"b"}}', '{"t":"a","x":{"t":"c"}}']).pushed.length, 2);
  const pushed = folded(['{"t":"a","x":{"t":"b"}}', '{"t":"c","x":{"t":"b"}}', '{"t":"d","x":{"t":"b"}}']).pushed;
  assert.deepEqual(pushed, [
    { t: 'a', x: { t: 'b' } },
    { t: 'c', x: { t: 'b' } },
    { t: 'd', x: { t: 'b' } },
  ]);
});

test('of a stream whose events are numbered no more shapes are looked for after some', () => {
  const numbered = Array.from({ length: 1000 }, (_, n) => `{"n":${n},"t":"a"}`);
  const { pushed, asked } = folded(numbered);
  assert.equal(pushed.length, 1000);
  assert.ok(asked <= 16, `${asked} were looked at`);
});

const ofTools = (...calls: string[]): string[] =>
  calls.map((call) => `{"choices":[{"delta":{"tool_calls":[${call}]}}]}`);

for (const [what, events] of Object.entries({
  'an index that is a text, of calls without arguments': ofTools(
    ...['0', '1', '2'].map((index) => `{"index":"${index}","function":{"arguments":""}}`),
  ),
  'an index that is a text, of calls with arguments': ofTools(
    ...['{', '', '\\"a\\":', '1}'].map((piece) => `{"index":"0","function":{"arguments":"${piece}"}}`),
  ),
  'a name that became a list, beside a text that goes on': [
    '{"choices":[{"delta":{"name":["n"]}}]}',
    ...['a', 'b', 'c'].map((text) => `{"choices":[{"delta":{"name":"n","content":"${text}"}}]}`),
  ],
})) {
  test(`a run is folded as its events are one by one: ${what}`, () => {
    const [alone, joined] = [foldChat(), new JoiningFolder(foldChat())];
    for (const event of events) {
      alone.push(event);
      joined.push(event);
    }
    assert.deepEqual(joined.result(), alone.result());
  });
}

test('an index that is a text is said again, and not continued', () => {
  const folder = foldChat();
  const events = ['a', 'b'].map((text) => `{"choices":[{"delta":{"parts":[{"index":"0","text":"${text}"}]}}]}`);
  for (const event of events) folder.push(event);
  const [choice] = elementsOf(folder.result()?.['choices']);
  assert.deepEqual(membersOf(membersOf(choice)['message'])['parts'], [{ index: '0', text: 'ab' }]);
});
