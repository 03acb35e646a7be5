import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExchangeRecord } from './record.ts';
import { recordLine } from './record-line.ts';
import { recoveredRecord } from './recovered.ts';

const bare = recoveredRecord(
  { id: 'a', atEpochMs: 0, method: 'POST', target: '/v1/messages', dialect: 'anthropic' },
  { hop: 'sidecar', workload: {} },
);
const body = { bytes: 300, sha256: 'ab', truncated: false };
const message = { headers: [['a', '1']], headersRemoved: [] } as const;
const record: ExchangeRecord = {
  ...bare,
  request: { ...bare.request, ...message, body: { ...body, text: '\u0001'.repeat(300) } },
  response: { ...message, body: { ...body, base64: 'x'.repeat(300) }, assembled: { content: 'x'.repeat(300) } },
};

test('recordLine() leaves a record as it is that is short enough once it is written', () => {
  const line = recordLine(record).toString();
  assert.ok(line.endsWith('}\n'));
  assert.deepEqual(JSON.parse(line), JSON.parse(JSON.stringify(record)));
});

test('recordLine() leaves the content out of one that its escapes made too long, and says so', () => {
  const most = recordLine(record).length - 1;
  const { request, response, ...rest } = JSON.parse(recordLine(record, most).toString()) as ExchangeRecord;
  assert.deepEqual(request.body, { ...body, truncated: true });
  assert.deepEqual(response, { ...message, body: { ...body, truncated: true } });
  assert.equal(rest.id, 'a');
});
