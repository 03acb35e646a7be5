import assert from 'node:assert/strict';
import { test } from 'node:test';
import { argumentReader } from './arguments.ts';

function pattern(text: string) {
  return argumentReader({ type: 'object', properties: { a: { type: 'string', pattern: text } } });
}

test('patterns of a schema are judged each by itself', async () => {
  const read = await argumentReader({
    type: 'object',
    properties: { a: { pattern: '^[0-9]+$' }, b: { pattern: '^[a-z/]{2,}$' }, c: { pattern: '\\p{L}\\d' } },
    patternProperties: { '^x-': { type: 'number' } },
  });
  assert.equal(read('{"a":"12","b":"a/b","c":"é1","x-n":1}').ok, true);
  for (const wrong of ['{"a":"x"}', '{"b":"12"}', '{"c":"1"}', '{"x-n":"1"}'])
    assert.equal(read(wrong).ok, false, wrong);
});

test('no pattern makes a text slow, on which a backtracking engine would spend years', {
  timeout: 20_000,
}, async () => {
  const read = await pattern('^([a-zA-Z0-9]+)+@x$');
  assert.equal(read(JSON.stringify({ a: `${'a'.repeat(10_000)}!` })).ok, false);
});

test('a pattern that the engine cannot read refuses nothing', async () => {
  assert.equal((await pattern('^(?=x)x'))('{"a":"y"}').ok, true);
});

test('arguments that nest deeper than the stack could hold are answered, not thrown', async () => {
  const read = await argumentReader({ type: 'object', additionalProperties: { $ref: '#' } });
  const deep = (levels: number): string => `${'{"a":'.repeat(levels)}{}${'}'.repeat(levels)}`;
  assert.equal(read(deep(100)).ok, true);
  assert.deepEqual(read(deep(50_000)), { ok: false, problem: 'The arguments nest more than 500 levels deep' });
});
