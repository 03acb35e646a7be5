import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LoggedRecord } from '../record.ts';
import { recordLine } from '../record-line.ts';
import { lineInTurns } from './line-in-turns.ts';

function record(asked: string | undefined, answered: string | undefined): LoggedRecord {
  const body = (text: string) => ({ bytes: text.length, sha256: '', truncated: false, text });
  const message = { headers: [], headersRemoved: [] };
  return {
    version: 1,
    id: 'a',
    exchange: 'a',
    hop: 'sidecar',
    workload: {},
    times: {},
    offsetsMs: {},
    dialect: 'anthropic',
    model: {},
    attempts: [],
    status: 200,
    request: { method: 'POST', target: '/', ...message, ...(asked !== undefined && { body: body(asked) }) },
    ...(answered !== undefined && { response: { ...message, body: body(answered) } }),
    redactions: { headers: 0, jsonPaths: 0, patterns: 0 },
  };
}

test('lineInTurns() writes exactly the line that is written at once, wherever its turns begin', async () => {
  const unit = fc.constantFrom('a', '"', '\\', '\n', '\0', 'é', '\u2028', '😀', '\ud83d', '\ude00', 'words');
  const text = fc.option(fc.string({ unit, maxLength: 60 }), { nil: undefined });
  const property = fc.asyncProperty(text, text, fc.integer({ min: 1, max: 9 }), async (asked, answered, length) => {
    const whole = record(asked, answered);
    assert.equal((await lineInTurns(whole, length)).toString(), recordLine(whole).toString());
  });
  await fc.assert(property, { numRuns: 300, seed: 20_261_121 });
});

test('lineInTurns() lets others have their turn', async () => {
  let turns = 0;
  let written = false;
  const count = (): void => {
    turns++;
    if (!written) setImmediate(count);
  };
  setImmediate(count);
  await lineInTurns(record('"'.repeat(1000), '"'.repeat(1000)), 100);
  written = true;
  assert.ok(turns >= 19, `${turns}`);
});

test('lineInTurns() leaves out the content of what is too long, as the line that is written at once does', async () => {
  const whole = record('\0'.repeat(2000), undefined);
  const line = await lineInTurns(whole, 100, 10_000);
  assert.equal(line.toString(), recordLine(whole, 10_000).toString());
  assert.match(line.toString(), /"truncated":true/);
});
