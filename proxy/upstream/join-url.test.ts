import assert from 'node:assert/strict';
import test from 'node:test';
import { joinUrl } from './join-url.ts';

test('joinUrl() keeps the client path, or puts the part after /v1 behind a base that ends in /v1', () => {
  assert.equal(joinUrl('', '/v1/messages?beta=true'), '/v1/messages?beta=true');
  assert.equal(joinUrl('/openai/v1', '/v1/chat/completions?a=/v1'), '/openai/v1/chat/completions?a=/v1');
  assert.equal(joinUrl('/v1', '/v1?x'), '/v1?x');
  assert.equal(joinUrl('/v1', '/v1beta/models'), '/v1/v1beta/models');
  assert.equal(joinUrl('/base', '/v1/messages'), '/base/v1/messages');
});
