/** A captured body as a record shows it: decoded, cut at a character, redacted by path, as text or base64. */
import { isUtf8 } from 'node:buffer';
import type { CapturedBody } from './capture.ts';
import { decodeBody, encodingsOf } from './decode.ts';
import { type JsonPath, redactJsonPaths } from './redact/json-path.ts';

export interface RecordedBody {
  /** Bytes of the whole body as it was sent, encoded or not. */
  readonly bytes: number;
  /** SHA-256 of the whole body as it was sent, in hex. */
  readonly sha256: string;
  /** Whether text or base64 hold less than the whole body. */
  readonly truncated: boolean;
  /** Content-encoding that was undone for the record. */
  readonly decoded?: string;
  readonly text?: string;
  /** Of a body that is no UTF-8 text. */
  readonly base64?: string;
  /** Why nothing of a body is shown: it could not be decoded, hence not be redacted. */
  readonly withheld?: 'undecodable';
}

/** A body on its way into a record: its text is not redacted by patterns yet. */
export interface BodyDraft {
  readonly facts: Omit<RecordedBody, 'text' | 'base64'>;
  /** How `content` becomes part of the record. */
  readonly form: 'text' | 'base64' | 'none';
  /** Text; of a binary body its bytes as Latin-1, so that patterns find what is ASCII in it. */
  readonly content: string;
  readonly redacted: number;
}

export interface BodyRules {
  readonly maxBytes: number;
  readonly jsonPaths: readonly JsonPath[];
  /** Whether anything at all is to be hidden in bodies, so that what cannot be read must not be shown. */
  readonly redacts: boolean;
}

/** What can be read of a body: its bytes with the content-encoding undone. */
export interface ReadableBody {
  readonly bytes: Buffer;
  readonly cut: boolean;
  readonly decoded: string | undefined;
}

/** @returns undefined when the encoding is unknown or the bytes are not of it */
export async function readBody(
  capture: CapturedBody,
  contentEncoding: string | undefined,
  limitBytes: number,
): Promise<ReadableBody | undefined> {
  const bytes = capture.bytes();
  const cut = capture.keptBytes < capture.sizeBytes;
  const encodings = encodingsOf(contentEncoding);
  if (encodings.length === 0 || bytes.length === 0) return { bytes, cut, decoded: undefined };
  const decoded = await decodeBody(bytes, encodings, limitBytes);
  return decoded && { bytes: decoded.bytes, cut: cut || decoded.cut, decoded: encodings.join(', ') };
}

/** @param readable what `readBody` made of the same capture */
export function draftBody(capture: CapturedBody, readable: ReadableBody | undefined, rules: BodyRules): BodyDraft {
  const size = { bytes: capture.sizeBytes, sha256: capture.sha256() };
  if (readable === undefined) {
    if (rules.redacts) {
      return { facts: { ...size, truncated: true, withheld: 'undecodable' }, form: 'none', content: '', redacted: 0 };
    }
    const raw = capture.bytes().subarray(0, rules.maxBytes);
    return {
      facts: { ...size, truncated: raw.length < size.bytes },
      form: 'base64',
      content: raw.toString('latin1'),
      redacted: 0,
    };
  }
  const limited = readable.bytes.subarray(0, rules.maxBytes);
  const shown = cutAtCharacter(limited);
  const isText = isUtf8(shown);
  const kept = isText ? shown : limited;
  const facts = {
    ...size,
    truncated: readable.cut || kept.length < readable.bytes.length,
    ...(readable.decoded === undefined ? {} : { decoded: readable.decoded }),
  };
  const raw = kept.toString(isText ? 'utf8' : 'latin1');
  const { text: content, count } = /^\s*[[{]/.test(raw)
    ? redactJsonPaths(raw, rules.jsonPaths)
    : { text: raw, count: 0 };
  return { facts, form: isText ? 'text' : 'base64', content, redacted: count };
}

/** @param content the draft's own, or what redaction made of it */
export function finishBody(draft: BodyDraft, content: string): RecordedBody {
  switch (draft.form) {
    case 'text':
      return { ...draft.facts, text: content };
    case 'base64':
      return { ...draft.facts, base64: Buffer.from(content, 'latin1').toString('base64') };
    case 'none':
      return draft.facts;
  }
}

/** Without a UTF-8 character's first half at the end: limits and cut streams do not ask where characters end. */
export function cutAtCharacter(bytes: Buffer): Buffer {
  const end = bytes.length;
  const lead = leadBefore(bytes, end);
  return bytes.subarray(0, lead + widthOf(bytes[lead] ?? 0) > end ? lead : end);
}

/** Index of the last byte before `end` that begins a character, at most three bytes back. */
function leadBefore(bytes: Buffer, end: number): number {
  for (let at = end - 1; at >= 0 && at >= end - 4; at--) if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return at;
  return end;
}

function widthOf(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}
