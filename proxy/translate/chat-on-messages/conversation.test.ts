import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translationContext } from '../../../test/support/translate/golden-case.ts';
import type { JsonObject } from '../translator.ts';
import { conversationOf } from './conversation.ts';

/** More than a call takes arguments. */
const MANY = 300_000;

test('conversation: as many parts as a request can hold are carried', () => {
  const parts = Array.from({ length: MANY }, () => ({ type: 'text', text: 'a' }));
  const { members } = conversationOf(
    {
      messages: [
        { role: 'system', content: parts },
        { role: 'user', content: 'Hi' },
        { role: 'user', content: parts },
      ],
    },
    translationContext(),
  );
  const { system, messages } = members as { system: JsonObject[]; messages: [{ content: JsonObject[] }] };
  assert.deepEqual([system.length, messages[0].content.length], [MANY, MANY + 1]);
});
