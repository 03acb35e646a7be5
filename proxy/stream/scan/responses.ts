/** Scanner of Responses streams: typed events, told by their names; the model comes from the first event, usage from the last. */
import { EventScanner } from './event-scanner.ts';
import { errorType, eventJson, modelName, nameFromData, nameIs, parseSpan } from './facts.ts';
import { JsonCursor, OPEN_OBJECT } from './json-cursor.ts';
import { type SseReader, spanIs } from './sse.ts';
import { objectOf, openaiUsage } from './usage.ts';

const PREFIX = Buffer.from('response.');
const DELTA_SUFFIX = Buffer.from('.delta');
const CREATED = Buffer.from('response.created');
const COMPLETED = Buffer.from('response.completed');
const INCOMPLETE = Buffer.from('response.incomplete');
const FAILED = Buffer.from('response.failed');
const ERROR = Buffer.from('error');
const RESPONSE = Buffer.from('response');
const MODEL = Buffer.from('model');
const USAGE = Buffer.from('usage');
const FAILURE = Buffer.from('error');
const USAGE_KEY = Buffer.from('"usage":');

export class ResponsesScanner extends EventScanner {
  readonly #cursor = new JsonCursor();

  protected override event(): void {
    const event = this.sse;
    const facts = this.facts;
    if (event.nameStart === event.nameEnd) nameFromData(event);
    if (isDelta(event)) facts.contentEvents++;
    else if (nameIs(event, COMPLETED) || nameIs(event, INCOMPLETE)) {
      facts.terminalSeen = true;
      this.#response();
    } else if (nameIs(event, FAILED)) {
      facts.terminalSeen = true;
      this.#response();
      facts.addError('response.failed');
    } else if (nameIs(event, ERROR)) {
      const data = objectOf(eventJson(event));
      facts.addError(errorType(data['error'] ?? { type: data['code'] }));
    } else if (nameIs(event, CREATED)) this.#response();
  }

  /** Reads model, usage and error of the `response` object, which repeats the whole answer and may be long. */
  #response(): void {
    const event = this.sse;
    const cursor = this.#cursor;
    cursor.reset(event.data, event.dataStart, event.dataEnd);
    if (!cursor.enter(OPEN_OBJECT)) return;
    while (cursor.nextKey()) {
      if (cursor.keyIs(RESPONSE) && cursor.enter(OPEN_OBJECT)) this.#members();
      else cursor.skip();
    }
    if (event.oversize) this.#usageOfTail();
  }

  #members(): void {
    const cursor = this.#cursor;
    const facts = this.facts;
    while (cursor.nextKey()) {
      const isModel = cursor.keyIs(MODEL);
      const isUsage = cursor.keyIs(USAGE);
      const isFailure = cursor.keyIs(FAILURE);
      const start = cursor.at;
      const end = cursor.skip();
      if (!isModel && !isUsage && !isFailure) continue;
      const value = parseSpan(cursor.buffer, start, end);
      if (isModel) facts.model = modelName(value) ?? facts.model;
      else if (isUsage) facts.addUsage(openaiUsage(value));
      else if (value !== null && value !== undefined) facts.addError(errorType(value));
    }
  }

  /** Usage stands behind the output, so a long response has it among its last bytes. In strings the key's quotes would be escaped. */
  #usageOfTail(): void {
    const { tail } = this.sse;
    const key = tail.lastIndexOf(USAGE_KEY);
    if (key === -1) return;
    const cursor = this.#cursor;
    cursor.reset(tail, key + USAGE_KEY.length, tail.length);
    const start = cursor.at;
    const end = cursor.skip();
    if (!cursor.failed) this.facts.addUsage(openaiUsage(parseSpan(tail, start, end)));
  }
}

function isDelta(event: SseReader): boolean {
  const { name, nameStart, nameEnd } = event;
  if (nameEnd - nameStart < PREFIX.length + DELTA_SUFFIX.length) return false;
  return (
    spanIs(name, nameEnd - DELTA_SUFFIX.length, nameEnd, DELTA_SUFFIX) &&
    spanIs(name, nameStart, nameStart + PREFIX.length, PREFIX)
  );
}
