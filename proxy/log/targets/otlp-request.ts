/** Records -> an ExportLogsServiceRequest in OTLP's JSON (opentelemetry-proto, collector/logs/v1), grouped by workload. */
import { isHealthy, type KeyValue, type OtlpView, recordAttributes, resourceAttributes } from './otlp-attributes.ts';
import type { SinkRecord } from './sink.ts';

interface LogRecord {
  readonly timeUnixNano: string;
  readonly observedTimeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  /** The whole record, as JSON. */
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly KeyValue[];
}

const SEVERITY = { info: [9, 'INFO'], error: [17, 'ERROR'] } as const;
const SCOPE = { name: 'sluice' };
const EVENT_NAME = 'sluice.exchange';

export function exportRequest(records: readonly SinkRecord[], nowEpochMs: number = Date.now()): Buffer {
  const groups = new Map<string, { resource: { attributes: KeyValue[] }; logRecords: LogRecord[] }>();
  for (const { json } of records) {
    const text = json.toString('utf8');
    const view = JSON.parse(text) as OtlpView;
    const attributes = resourceAttributes(view);
    const key = JSON.stringify(attributes);
    const group = groups.get(key) ?? { resource: { attributes }, logRecords: [] };
    groups.set(key, group);
    group.logRecords.push(logRecord(text, view, nowEpochMs));
  }
  const resourceLogs = [...groups.values()].map(({ resource, logRecords }) => ({
    resource,
    scopeLogs: [{ scope: SCOPE, logRecords }],
  }));
  return Buffer.from(JSON.stringify({ resourceLogs }));
}

function logRecord(text: string, view: OtlpView, nowEpochMs: number): LogRecord {
  const [severityNumber, severityText] = isHealthy(view) ? SEVERITY.info : SEVERITY.error;
  const received = Date.parse(String(view.times?.['received']));
  return {
    timeUnixNano: nanoseconds(Number.isNaN(received) ? nowEpochMs : received),
    observedTimeUnixNano: nanoseconds(nowEpochMs),
    severityNumber,
    severityText,
    eventName: EVENT_NAME,
    body: { stringValue: text },
    attributes: recordAttributes(view),
  };
}

function nanoseconds(epochMs: number): string {
  return `${Math.trunc(epochMs)}000000`;
}

/**
 * How many log records an answer says were not taken.
 * @param body of a 2xx answer: an ExportLogsServiceResponse, in whose JSON 64-bit numbers may be strings
 */
export function rejectedRecords(body: Buffer): number {
  try {
    const { partialSuccess } = JSON.parse(body.toString('utf8')) as {
      partialSuccess?: { rejectedLogRecords?: unknown };
    };
    const rejected = Number(partialSuccess?.rejectedLogRecords ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    // Many servers answer with nothing.
    return 0;
  }
}
