import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spokenText } from './spoken-text.ts';

const PATH = '/v1/messages';
const REQUEST = {
  model: 'claude-x',
  max_tokens: 4242,
  tools: [{ name: 'look_up', input_schema: { type: 'object', properties: { bird: { type: 'string' } } } }],
  system: 'be "brief"\n\tcormorant\u2028é',
  metadata: { user_id: 'u-1' },
  messages: [
    { role: 'user', content: [{ type: 'image', source: { type: 'base64', data: 'AAAA' } }] },
    { role: 'user', content: ['data:image/png;base64,AA', 'dear model\nkingfisher', '', 'C:\\heron'] },
    { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'look_up', input: { bird: 'ibis' } }] },
  ],
};

test('spokenText: of a body that was cut it is what the whole body says to there', () => {
  for (const indent of [undefined, 1]) {
    const body = JSON.stringify(REQUEST, undefined, indent);
    const whole = spokenText(body, PATH);
    for (const word of ['cormorant', 'kingfisher', 'ibis']) assert.match(whole, new RegExp(`\\b${word}`));
    for (let end = 1; end < body.length; end++) {
      const cut = body.slice(0, end);
      // In the middle of an escape its letter is no more than a letter, and of a text's beginning it is not known what it is.
      if (/\\u?[0-9a-f]{0,3}$|"d?a?t?a?$/.test(cut)) continue;
      assert.ok(whole.startsWith(spokenText(cut, PATH)), `${cut.slice(-40)} -> ${spokenText(cut, PATH).slice(-40)}`);
    }
    assert.equal(spokenText(body.slice(0, -1), PATH), whole);
  }
});

test('spokenText: of a body that masks spoiled it is what is left, without names of the protocol', () => {
  const body = JSON.stringify(REQUEST);
  const whole = spokenText(body, PATH);
  for (const [from, to] of [
    ['4242', '[redacted]'],
    ['4242', '4[redacted]2'],
    ['"max_tokens":4242', '[redacted]'],
    ['"u-1"', '[redacted]'],
  ] as const) {
    const spoiled = body.replace(from, to);
    assert.equal(spokenText(spoiled, PATH), whole, spoiled.slice(0, 60));
    assert.ok(whole.startsWith(spokenText(spoiled.slice(0, -30), PATH)));
  }
  assert.equal(spokenText(`${body}\n${body}`, PATH), `${whole}\n${whole}`);
});

test('spokenText: a text in brackets is no JSON, and depth breaks nothing', () => {
  for (const text of ['[note] the heron said "hi"', '[redacted] and more', '{heron}'])
    assert.equal(spokenText(text, PATH), text);
  const deep = '[{"a":'.repeat(100_000);
  assert.equal(spokenText(`${deep}"heron`, PATH), '');
  assert.equal(spokenText(`{"id":${deep}"heron`, PATH), '');
});
