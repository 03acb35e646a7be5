/** One record, as it stands in a log → what an upstream sent then: head, chunks and their times, and how it broke off, if it did. */
import { cutPoints } from './cut-points.ts';

/** A chunk of the answer's body. */
export interface Step {
  /** Since the upstream was asked. */
  readonly atMs: number;
  readonly bytes: Buffer;
}

export interface Recording {
  readonly status: number;
  /** Names and values alternating. */
  readonly rawHeaders: readonly string[];
  readonly steps: readonly Step[];
  /** When the body ended, or broke off. */
  readonly endsAtMs: number;
  /** Whether the answer did not come to its end, or the record holds less than all of it. */
  readonly cut: boolean;
}

/** Ends after which the upstream's answer was there as a whole. */
const WHOLE_ENDS: readonly unknown[] = ['complete', 'upstream_error'];
/** What says how the body was framed or encoded: untrue where what is played is not what was on the wire. */
const FRAMING: readonly string[] = ['content-length', 'content-encoding'];

/** @returns the reason, as a part of a sentence, where a record cannot be played */
export function readRecording(record: unknown): Recording | string {
  const response = memberOf(record, 'response');
  if (!isObject(response)) return 'holds no answer of an upstream';
  const status = memberOf(record, 'status');
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) return 'names no status';
  const body = memberOf(response, 'body');
  const bytes = bodyOf(body);
  if (bytes === undefined) return 'does not hold the content of its body';
  const sizeBytes = numberOf(memberOf(body, 'bytes')) ?? bytes.length;
  const truncated = memberOf(body, 'truncated') === true;
  // Decoded or redacted: the record's text is not what was on the wire.
  const changed = memberOf(body, 'decoded') !== undefined || (!truncated && bytes.length !== sizeBytes);
  const steps = stepsOf(record, response, { bytes, sizeBytes, changed });
  const lastMs = steps.at(-1)?.atMs ?? 0;
  const ended = numberOf(memberOf(memberOf(record, 'offsetsMs'), 'ended')) ?? 0;
  return {
    status,
    rawHeaders: headersOf(memberOf(response, 'headers'), changed ? FRAMING : []),
    steps,
    endsAtMs: truncated ? lastMs : Math.max(ended - askedMs(record), lastMs),
    cut: truncated || !WHOLE_ENDS.includes(memberOf(record, 'end')),
  };
}

interface Content {
  readonly bytes: Buffer;
  readonly sizeBytes: number;
  readonly changed: boolean;
}

function stepsOf(record: unknown, response: object, { bytes, sizeBytes, changed }: Content): Step[] {
  const arrivals = memberOf(response, 'arrivals');
  const lengths = numbersOf(memberOf(arrivals, 'bytes'));
  const deltas = numbersOf(memberOf(arrivals, 'deltasMs'));
  const asked = askedMs(record);
  if (lengths.length === 0 || lengths.length !== deltas.length) {
    const firstByte = numberOf(memberOf(memberOf(record, 'offsetsMs'), 'firstByte')) ?? asked;
    return bytes.length === 0 ? [] : [{ atMs: Math.max(0, firstByte - asked), bytes }];
  }
  const steps: Step[] = [];
  let from = 0;
  let atMs = -asked;
  const scale = changed && sizeBytes > 0 ? bytes.length / sizeBytes : 1;
  for (const [index, to] of cutPoints(lengths, bytes.length, scale).entries()) {
    atMs += deltas[index] ?? 0;
    if (to > from) steps.push({ atMs: Math.max(0, atMs), bytes: bytes.subarray(from, to) });
    from = to;
  }
  return steps;
}

/** When the upstream that answered was asked, since the request was received. */
function askedMs(record: unknown): number {
  const attempts = memberOf(record, 'attempts');
  return Array.isArray(attempts) ? (numberOf(memberOf(attempts.at(-1), 'startMs')) ?? 0) : 0;
}

function bodyOf(body: unknown): Buffer | undefined {
  const text = memberOf(body, 'text');
  if (typeof text === 'string') return Buffer.from(text);
  const base64 = memberOf(body, 'base64');
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined;
}

/** What HTTP cannot carry is left out, as a record may have been edited by hand. */
function headersOf(headers: unknown, without: readonly string[]): string[] {
  if (!Array.isArray(headers)) return [];
  return headers.flatMap((pair: unknown) => {
    const [name, value]: unknown[] = Array.isArray(pair) ? pair : [];
    if (typeof name !== 'string' || typeof value !== 'string') return [];
    const sendable = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
    return sendable && !without.includes(name.toLowerCase()) ? [name, value] : [];
  });
}

function numbersOf(value: unknown): number[] {
  if (!Array.isArray(value)) return [];
  return value.map((one: unknown) => numberOf(one) ?? 0);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

export function memberOf(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
