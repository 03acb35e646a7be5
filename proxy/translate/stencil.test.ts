import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROBE, type Spans, stencilOf } from './stencil.ts';

const HEAD = 'data: {"id":"1","choices":[{"index":0,"delta":{"content":';
const TAIL = '},"finish_reason":null}]';

/** @param json of the text, with its quotes */
function event(json: string, more = '}\n\n'): string {
  return `${HEAD}${json}${TAIL}${more}`;
}

/** @returns the texts as they stand in the chunk; undefined when it does not match */
function match(learned: string, text: string, chunk: string | Buffer): string[] | undefined {
  const spans: Spans = { at: [], length: 0, wide: false };
  const bytes = Buffer.from(chunk);
  if (!stencilOf(Buffer.from(learned), text)?.match(bytes, spans)) return undefined;
  return Array.from({ length: spans.length / 2 }, (_, at) =>
    bytes.toString('utf8', spans.at[2 * at], spans.at[2 * at + 1]),
  );
}

const learned = event('"Hello"');

test('stencil: any text that is written as it came is found', () => {
  for (const text of [' world', 'ü🌍\u2028', 'a\n\t"b"\\', '}]},{', '\u007f', 'x'.repeat(5000)]) {
    const json = JSON.stringify(text);
    assert.deepEqual(match(learned, 'Hello', event(json)), [json.slice(1, -1)]);
  }
});

test('stencil: what would be written in another way, or is no JSON, is left alone', () => {
  for (const json of [
    '"\\u00fc"',
    '"\\/"',
    '"\\ud800"',
    '"a\tb"',
    '"a\rb"',
    '"a\\',
    '"a',
    '""',
    'null',
    '["a"]',
    '"\\x"',
  ])
    assert.equal(match(learned, 'Hello', event(json)), undefined, json);
});

test('stencil: anything else around the text is another event', () => {
  const others = [
    learned.replace('"1"', '"2"'),
    learned.replace('null', '"stop"'),
    learned.replace('"index":0', '"index":1'),
    `${learned}: comment\n\n`,
    `event: error\n${learned}`,
    learned.slice(0, -1),
    learned.slice(1),
    `${learned}${learned.slice(0, -1)}`,
    'data: [DONE]\n\n',
    '',
  ];
  for (const other of others) assert.equal(match(learned, 'Hello', other), undefined, JSON.stringify(other));
});

test('stencil: several events of a chunk are told apart', () => {
  assert.deepEqual(match(learned, 'Hello', event('"a"') + event('" b"') + event('"c"')), ['a', ' b', 'c']);
});

test('stencil: padding may be of any length, and hold no more than padding', () => {
  for (const key of ['obfuscation', 'p']) {
    const padded = (value: string) => event('"Hello"', `,"usage":null,"${key}":${value}}\n\n`);
    for (const value of ['""', '"x"', '"Qup1BsQ3aaaaaaaaaaaa"'])
      assert.deepEqual(match(padded('"abc"'), 'Hello', padded(value)), ['Hello'], value);
    for (const value of ['"\\""', '"ü"', '"a","error":"b"', 'null', '"a', '1'])
      assert.equal(match(padded('"abc"'), 'Hello', padded(value)), undefined, value);
  }
});

test('stencil: spaces in front of the last brace mean nothing', () => {
  for (const more of ['}\n\n', ' }\n\n', '              }\n\n'])
    assert.deepEqual(match(event('"Hello"', '    }\n\n'), 'Hello', event('"a"', more)), ['a']);
  assert.equal(match(learned, 'Hello', event('"a"', '\t}\n\n')), undefined);
  assert.equal(match(learned, 'Hello', event('"a"', '} \n\n')), undefined);
});

test('stencil: the probe stands for the text and for the padding', () => {
  const padded = event('"Hello"', ',"obfuscation":"abc"  }\r\n\r\n');
  const probed = stencilOf(Buffer.from(padded), 'Hello')?.probed().toString();
  assert.equal(probed, event(`"${PROBE}"`, `,"obfuscation":"${PROBE}"}\r\n\r\n`));
});

test('stencil: none without the text as most write it', () => {
  assert.equal(stencilOf(Buffer.from(event('"\\u00fc"')), 'ü'), undefined);
});
