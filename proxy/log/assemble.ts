/** A stream as the one answer that the call would have given without streaming: what people want to read in a record. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { folderFor } from '../fold/fold-stream.ts';
import { parsePartialJson } from '../fold/partial-json.ts';
import { isEventStream } from '../stream/scan.ts';
import { withoutProgress } from '../tools/strip-progress.ts';
import { SseEventReader } from '../translate/sse.ts';
import type { Form, JsonObject, JsonValue } from '../translate/translator.ts';
import { isObject } from '../translate/wire/json.ts';
import { REDACTED } from './headers.ts';
import { type JsonPath, redactJsonPaths } from './redact/json-path.ts';
import { parseMasked } from './redact/masked-json.ts';
import { replacePatterns } from './redact/patterns.ts';

export interface Assembled {
  /** Undefined when there is nothing to fold. */
  readonly answer: JsonObject | undefined;
  /** A mask took something from the stream without which some of it, or all, cannot be folded. */
  readonly isSpoiled: boolean;
}

export interface AssembleRules {
  readonly jsonPaths: readonly JsonPath[];
  readonly patterns: readonly string[];
}

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
 * @param shown what the record shows of the answer's body, as bytes; may be cut anywhere
 * @returns the answer without a tool loop's progress. It is redacted once more: what it puts together anew may match
 */
export async function assembleAnswer(
  path: string,
  rawHeaders: readonly string[],
  shown: Buffer,
  rules: AssembleRules,
): Promise<Assembled> {
  const form = Object.hasOwn(FORMS, path) ? FORMS[path] : undefined;
  if (form === undefined || !isEventStream(rawHeaders)) return { answer: undefined, isSpoiled: false };
  const { json, isSpoiled } = await foldShown(form, shown);
  if (json === '') return { answer: undefined, isSpoiled: isSpoiled || shown.includes(REDACTED) };
  const { texts } = await replacePatterns([redactJsonPaths(json, rules.jsonPaths).text], rules.patterns);
  const answer = parseMasked(texts[0] ?? '');
  return isObject(answer) ? { answer, isSpoiled } : { answer: undefined, isSpoiled: true };
}

/** @returns JSON, empty when there is nothing to fold */
async function foldShown(form: Form, shown: Buffer): Promise<{ json: string; isSpoiled: boolean }> {
  const reading = new MaskedReading();
  const folder = folderFor(form, (text) => reading.input(text));
  const reader = new SseEventReader(({ data }) => folder.push(reading.event(data)));
  for (let from = 0; from < shown.length; from += TURN_BYTES) {
    if (from > 0) await nextTurn();
    reader.push(shown.subarray(from, from + TURN_BYTES));
  }
  // An event that is read at the end only was cut, whether there are masks in it or not.
  const { isSpoiled } = reading;
  reader.end();
  reading.isSpoiled = isSpoiled;
  const answer = folder.result();
  return { json: answer === undefined ? '' : written(answer), isSpoiled: reading.isSpoiled };
}

/** Reads what masks stand in, and remembers whether something was no JSON any more. */
class MaskedReading {
  isSpoiled = false;

  /** @returns as it stands where no mask is: runs of events that are texts are folded as one */
  event(data: string): string | JsonObject {
    if (!data.includes(REDACTED)) return data;
    const event = parseMasked(data);
    if (isObject(event)) return event;
    this.isSpoiled = true;
    return data;
  }

  /** @param text of a tool's arguments, which may be cut */
  input(text: string): JsonValue | undefined {
    const input = parseMasked(text, parsePartialJson);
    this.isSpoiled ||= input === undefined && text.includes(REDACTED);
    return input;
  }
}

/** Empty for what nests too deep to be written: the record is made all the same, without it. */
function written(answer: JsonObject): string {
  try {
    return JSON.stringify(withoutProgress(answer));
  } catch {
    return '';
  }
}
