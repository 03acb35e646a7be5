/** Which dialect a client's path proves (design: Dialects and paths). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dialectOfPath, speaksNatively } from './dialect.ts';

const CASES: [string, boolean, string][] = [
  ['/v1/messages', false, 'anthropic'],
  ['/v1/messages/count_tokens', false, 'anthropic'],
  ['/v1/messagesX', false, 'raw'],
  ['/v1/chat/completions', true, 'openai'],
  ['/v1/responses', false, 'openai'],
  ['/v1/responses/resp_1', false, 'openai'],
  ['/v1/embeddings', false, 'openai'],
  ['/v1/models', true, 'anthropic'],
  ['/v1/models', false, 'openai'],
  ['/v1/files', false, 'raw'],
  ['/', false, 'raw'],
];

for (const [path, anthropicVersion, dialect] of CASES) {
  test(`dialectOfPath() takes ${path}${anthropicVersion ? ' with anthropic-version' : ''} for ${dialect}`, () => {
    assert.equal(dialectOfPath(path, anthropicVersion), dialect);
  });
}

test('speaksNatively() needs translation between anthropic and openai alone', () => {
  assert.equal(speaksNatively('anthropic', 'openai'), false);
  assert.equal(speaksNatively('openai', 'anthropic'), false);
  assert.equal(speaksNatively('anthropic', 'anthropic'), true);
  assert.equal(speaksNatively('raw', 'anthropic'), true);
  assert.equal(speaksNatively('openai', 'raw'), true);
});
