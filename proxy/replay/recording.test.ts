import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Recording, readRecording } from './recording.ts';

const RECORD = {
  status: 200,
  end: 'complete',
  attempts: [{ startMs: 0 }, { startMs: 500 }],
  offsetsMs: { firstByte: 700, ended: 900 },
  response: {
    headers: [
      ['content-type', 'text/plain'],
      ['Content-Length', '8'],
    ],
    body: { bytes: 8, truncated: false, text: 'abcdefgh' },
    arrivals: { deltasMs: [700, 0, 50], bytes: [2, 5, 1] },
  },
};

function read(more: object, body: object = {}, arrivals?: object): Recording {
  const response = { ...RECORD.response, body: { ...RECORD.response.body, ...body }, ...(arrivals && { arrivals }) };
  const recording = readRecording({ ...RECORD, response, ...more });
  if (typeof recording === 'string') assert.fail(recording);
  return recording;
}

const told = ({ steps }: Recording): string[] => steps.map(({ atMs, bytes }) => `${atMs} ${bytes.toString()}`);

test('recording: chunks and times count from the attempt that answered', () => {
  const recording = read({});
  assert.deepEqual(told(recording), ['200 ab', '200 cdefg', '250 h']);
  assert.deepEqual([recording.endsAtMs, recording.cut], [400, false]);
  assert.deepEqual(recording.rawHeaders, ['content-type', 'text/plain', 'Content-Length', '8']);
});

test('recording: a body that is not what was on the wire is cut at the same shares, without its length', () => {
  const redacted = read({}, { text: 'abcdefghijklmnop' });
  assert.deepEqual(told(redacted), ['200 abcd', '200 efghijklmn', '250 op']);
  assert.deepEqual(redacted.rawHeaders, ['content-type', 'text/plain']);
  assert.equal(redacted.cut, false);
  assert.deepEqual(told(read({}, { bytes: 4, decoded: 'gzip' }, { deltasMs: [700, 9], bytes: [1, 3] })), [
    '200 ab',
    '209 cdefgh',
  ]);
});

test('recording: what was truncated, or did not end, is cut', () => {
  const truncated = read({}, { bytes: 99, truncated: true, text: 'abcd' });
  assert.deepEqual([told(truncated), truncated.cut, truncated.endsAtMs], [['200 ab', '200 cd'], true, 200]);
  for (const end of ['upstream_cut', 'client_gone', 'idle', 'timed_out', 'shutdown', 'killed'])
    assert.equal(read({ end }).cut, true);
  assert.equal(read({ end: 'upstream_error' }).cut, false);
});

test('recording: without arrivals the whole body comes with the first byte', () => {
  assert.deepEqual(told(read({}, {}, {})), ['200 abcdefgh']);
  assert.deepEqual(told(read({}, { base64: '/w==', text: undefined, bytes: 1 }, {})).length, 1);
});

test('recording: what cannot be played says why, whatever it is', () => {
  for (const nothing of [undefined, null, 3, 'x', [], {}, { response: [] }]) {
    assert.equal(readRecording(nothing), 'holds no answer of an upstream');
  }
  assert.equal(readRecording({ response: {} }), 'names no status');
  assert.equal(readRecording({ status: 200, response: {} }), 'does not hold the content of its body');
  const odd = {
    status: 200,
    response: { headers: [['a b', 'c'], ['x', 'y\r\nz: 1'], 7, ['ok', '1']], body: { text: '' } },
  };
  assert.deepEqual(readRecording(odd), { status: 200, rawHeaders: ['ok', '1'], steps: [], endsAtMs: 0, cut: true });
});
