/** A stream as the one answer that the call would have given without streaming: what people want to read in a record. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { folderFor } from '../fold/fold-stream.ts';
import { isEventStream } from '../stream/scan.ts';
import { withoutProgress } from '../tools/strip-progress.ts';
import { SseEventReader } from '../translate/sse.ts';
import type { Form, JsonObject } from '../translate/translator.ts';
import { type JsonPath, redactJsonPaths } from './redact/json-path.ts';

const FORMS: Readonly<Record<string, Form>> = {
  '/v1/messages': 'messages',
  '/v1/chat/completions': 'chat',
  '/v1/responses': 'responses',
};

/** So much is read in one turn of the event loop: some 0.3 ms, which other streams wait at most. */
const TURN_BYTES = 8 * 1024;

/**
 * @param path of the client's request, without query
 * @param rawHeaders of the answer
 * @param bytes of its body, content-encoding undone; may be cut anywhere
 * @returns JSON, redacted by path and without a tool loop's progress; empty when there is nothing to fold
 */
export async function assembleAnswer(
  path: string,
  rawHeaders: readonly string[],
  bytes: Buffer,
  jsonPaths: readonly JsonPath[],
): Promise<string> {
  const form = Object.hasOwn(FORMS, path) ? FORMS[path] : undefined;
  if (form === undefined || !isEventStream(rawHeaders)) return '';
  const folder = folderFor(form);
  const reader = new SseEventReader(({ data }) => folder.push(data));
  for (let from = 0; from < bytes.length; from += TURN_BYTES) {
    if (from > 0) await nextTurn();
    reader.push(bytes.subarray(from, from + TURN_BYTES));
  }
  reader.end();
  const answer = folder.result();
  if (answer === undefined) return '';
  const json = written(answer);
  return json === '' ? '' : redactJsonPaths(json, jsonPaths).text;
}

/** Empty for what nests too deep to be written: the record is made all the same, without it. */
function written(answer: JsonObject): string {
  try {
    return JSON.stringify(withoutProgress(answer));
  } catch {
    return '';
  }
}

/** @param text after redaction by patterns, which may have spoiled it */
export function parseAssembled(text: string): JsonObject | undefined {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return undefined;
  }
}
