/** Records as the proxy writes them, for tests of targets. */
import type { SinkRecord } from '../../../proxy/log/targets/sink.ts';

const START_EPOCH_MS = Date.parse('2026-11-21T10:00:00.000Z');

/** A UUID of version 7 that is always the same for a number. */
export function sampleId(number: number): string {
  const time = (START_EPOCH_MS + number).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** What the members of a sample are, in the order of proxy/log/record.ts. */
export function sampleMembers(number: number, more: Readonly<Record<string, unknown>> = {}) {
  return {
    version: 1,
    id: sampleId(number),
    exchange: sampleId(number),
    hop: 'sidecar',
    revision: '5f0c3a9d1b7e2c44',
    workload: { namespace: 'agents', pod: 'planner-6d5f', node: 'node-3', owner: 'Deployment/planner' },
    times: {
      received: new Date(START_EPOCH_MS + number).toISOString(),
      ended: new Date(START_EPOCH_MS + number + 4121).toISOString(),
    },
    offsetsMs: { firstByte: 410.2, firstContent: 432.5, ended: 4121.1 },
    dialect: 'anthropic',
    route: 'opus',
    upstream: 'claude',
    agent: 'architect',
    stream: true,
    model: { asked: 'claude-opus-5', answered: 'claude-opus-5-20260801' },
    attempts: [{ upstream: 'claude', startMs: 1.2, durationMs: 408.7, outcome: 'answered', status: 200 }],
    status: 200,
    end: 'complete',
    usage: { inputTokens: 12, cacheReadTokens: 2000, outputTokens: 311, partial: false },
    request: {
      method: 'POST',
      target: '/v1/messages',
      headers: [],
      headersRemoved: [],
      body: bodyOf(`{"n":${number}}`),
    },
    response: { headers: [], headersRemoved: [], body: bodyOf(`hällo "${number}"\n\\ \t`) },
    redactions: { headers: 0, jsonPaths: 0, patterns: 0 },
    ...more,
  };
}

export function sampleRecord(number: number, more: Readonly<Record<string, unknown>> = {}): SinkRecord {
  const members = sampleMembers(number, more);
  return { id: String(members.id), json: Buffer.from(JSON.stringify(members)) };
}

export function sampleRecords(count: number, first = 0): SinkRecord[] {
  return Array.from({ length: count }, (_, index) => sampleRecord(first + index));
}

function bodyOf(text: string) {
  return { bytes: Buffer.byteLength(text), sha256: '0'.repeat(64), truncated: false, text };
}
