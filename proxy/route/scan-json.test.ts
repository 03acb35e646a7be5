import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { TopLevelScanner } from './scan-json.ts';

function scan(text: string, cuts: readonly number[] = []): TopLevelScanner {
  const bytes = Buffer.from(text);
  const scanner = new TopLevelScanner();
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    scanner.push(bytes.subarray(from, end));
    from = end;
  }
  return scanner;
}

const facts = (s: TopLevelScanner): unknown => [s.model, s.stream, s.duplicate, s.finished, s.modelSpan];

test('scan reads model and stream at the top level only', () => {
  const text =
    '{"messages":[{"model":"nested","content":"a \\"model\\": x } ]"}],"model" : "claude-opus-5" ,"stream":true}';
  const scanner = scan(text);
  assert.deepEqual([scanner.model, scanner.stream, scanner.finished], ['claude-opus-5', true, true]);
  const { start, end } = scanner.modelSpan ?? { start: 0, end: 0 };
  assert.equal(Buffer.from(text).subarray(start, end).toString(), '"claude-opus-5"');
});

test('scan gives the same facts wherever the bytes are cut', () => {
  const texts = [
    '{"a":"\\\\","model":"gé\\u0070t-5","stream":false,"b":"\\\\\\"}"}',
    '\ufeff {"mod\\u0065l":"x","n":[[{"stream":true}]],"stream":true}',
    '{"model":null,"stream":"true"}',
    '{"x":-1.5e3,"model":"a","model":"b"}',
  ];
  for (const text of texts) {
    const whole = facts(scan(text));
    for (let cut = 0; cut <= Buffer.byteLength(text); cut += 1)
      assert.deepEqual(facts(scan(text, [cut])), whole, `${text} at ${cut}`);
    const everyByte = Array.from({ length: Buffer.byteLength(text) }, (_, index) => index);
    assert.deepEqual(facts(scan(text, everyByte)), whole);
  }
});

test('scan sees an escaped key as the key that parsers see', () => {
  assert.equal(scan('{"model":"a","mod\\u0065l":"b"}').duplicate, 'model');
  assert.equal(scan('{"stream":true,"stream":false}').duplicate, 'stream');
});

test('scan agrees with JSON.parse on any object', () => {
  const value = fc.jsonValue();
  const member = fc.oneof(fc.constant('model'), fc.constant('stream'), fc.string());
  fc.assert(
    fc.property(
      fc.dictionary(member, value),
      fc.nat(3),
      fc.array(fc.nat(5000), { maxLength: 8 }),
      (object, indent, cuts) => {
        const scanner = scan(JSON.stringify(object, null, indent), cuts);
        const model = Object.hasOwn(object, 'model') ? object['model'] : undefined;
        const stream = Object.hasOwn(object, 'stream') ? object['stream'] === true : undefined;
        assert.equal(scanner.model, typeof model === 'string' ? model : undefined);
        assert.equal(scanner.stream, stream);
        assert.equal(scanner.finished, true);
        assert.equal(scanner.duplicate, undefined);
      },
    ),
    { numRuns: 500 },
  );
});

test('scan is satisfied once both were read, and by what is no object', () => {
  assert.equal(scan('{"model":"a","stream":true,').satisfied, true);
  assert.equal(scan('{"model":"a",').satisfied, false);
  assert.equal(scan('{"stream":true,"model":"a').satisfied, false);
  assert.equal(scan('[1,2').satisfied, true);
  assert.equal(scan('hello').satisfied, true);
});

test('scan never throws on garbage', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      new TopLevelScanner().push(Buffer.from(bytes));
    }),
  );
});

test('TopLevelScanner finds watched values at every chunking, and notes a second one', () => {
  const text = '{"a":[1,{"system":2}],"system" : [{"text":"x\\"]"},"y"] ,"model":"m","stream":true,"input":"q"}';
  const bytes = Buffer.from(text);
  for (let size = 1; size <= bytes.length; size += 1) {
    const scanner = new TopLevelScanner();
    scanner.watch(['system', 'input']);
    for (let from = 0; from < bytes.length; from += size) scanner.push(bytes.subarray(from, from + size));
    const { start, end } = scanner.spanOf('system') ?? { start: 0, end: 0 };
    assert.equal(text.slice(start, end), '[{"text":"x\\"]"},"y"]');
    assert.equal(scanner.duplicate, undefined);
  }
  const open = new TopLevelScanner();
  open.watch(['messages']);
  open.push(Buffer.from('{"model":"m","stream":true,"messages":[{"ro'));
  assert.deepEqual(open.spanOf('messages'), { start: 38, end: undefined });
  assert.equal(open.satisfied, false);
  const twice = new TopLevelScanner();
  twice.watch(['system']);
  twice.push(Buffer.from('{"system":"a","system":"b"}'));
  assert.equal(twice.duplicate, 'system');
});
