/**
 * Scanner of Chat Completions streams. Their chunks have no names and all look alike, so a cursor goes over each one's bytes
 * and looks at choices, usage and error alone; nothing is parsed but the usage and the first chunk's model.
 */
import type { Verdict } from '../../exchange.ts';
import { EventScanner } from './event-scanner.ts';
import { errorType, eventJson, modelName, nameIs, parseSpan } from './facts.ts';
import { JsonCursor, OPEN_ARRAY, OPEN_OBJECT } from './json-cursor.ts';
import { type SseReader, spanIs } from './sse.ts';
import { objectOf, openaiUsage } from './usage.ts';

const DONE = Buffer.from('[DONE]');
const ERROR = Buffer.from('error');
const MODEL = Buffer.from('model');
const USAGE = Buffer.from('usage');
const CHOICES = Buffer.from('choices');
const INDEX = Buffer.from('index');
const DELTA = Buffer.from('delta');
const FINISH_REASON = Buffer.from('finish_reason');
/** Members of a delta that are content when they are not empty; `role` and whatever else a provider adds are none. */
const CONTENT_KEYS = [
  'content',
  'reasoning_content',
  'tool_calls',
  'reasoning',
  'refusal',
  'function_call',
  'audio',
  'reasoning_details',
  'thinking',
].map((key) => Buffer.from(key));

const NULL = 0x6e;
/** More choices than the API allows to ask for; one beyond is not tracked, and then only [DONE] ends the stream. */
const CHOICE_LIMIT = 256;

export class ChatScanner extends EventScanner {
  readonly #cursor = new JsonCursor();
  /** Per choice: 0 not seen, 1 open, 2 finished. */
  readonly #choices = new Uint8Array(CHOICE_LIMIT);
  #choicesOpen = 0;
  #choicesFinished = 0;
  #untracked = false;

  override verdict(): Verdict {
    const allFinished = this.#choicesFinished > 0 && this.#choicesOpen === 0 && !this.#untracked;
    return this.facts.verdict(this.sse.atBoundary, this.facts.terminalSeen || allFinished);
  }

  protected override event(): void {
    const event = this.sse;
    if (spanIs(event.data, event.dataStart, event.dataEnd, DONE)) {
      this.facts.terminalSeen = true;
      return;
    }
    if (event.oversize) this.facts.contentEvents++;
    else if (nameIs(event, ERROR)) this.#namedError();
    else this.#chunk(event);
  }

  #namedError(): void {
    const data = objectOf(eventJson(this.sse));
    this.facts.addError(errorType(data['error'] ?? data));
  }

  #chunk(event: SseReader): void {
    const cursor = this.#cursor;
    cursor.reset(event.data, event.dataStart, event.dataEnd);
    if (!cursor.enter(OPEN_OBJECT)) return;
    while (cursor.nextKey()) {
      if (cursor.keyIs(CHOICES)) this.#allChoices();
      else if (cursor.keyIs(USAGE)) this.#usage();
      else if (cursor.keyIs(MODEL)) this.#model();
      else if (cursor.keyIs(ERROR)) this.#error();
      else cursor.skip();
    }
  }

  #allChoices(): void {
    const cursor = this.#cursor;
    if (!cursor.enter(OPEN_ARRAY)) {
      cursor.skip();
      return;
    }
    let content = false;
    while (cursor.nextElement()) content = this.#choice() || content;
    if (content) this.facts.contentEvents++;
  }

  /** @returns whether the choice's delta holds content */
  #choice(): boolean {
    const cursor = this.#cursor;
    if (!cursor.enter(OPEN_OBJECT)) {
      cursor.skip();
      return false;
    }
    let content = false;
    let finished = false;
    let index = 0;
    while (cursor.nextKey()) {
      if (cursor.keyIs(DELTA)) content = this.#delta() || content;
      else if (cursor.keyIs(FINISH_REASON)) finished = cursor.skipFilled();
      else if (cursor.keyIs(INDEX)) index = this.#number();
      else cursor.skip();
    }
    if (!cursor.failed) this.#track(index, finished);
    return content;
  }

  #delta(): boolean {
    const cursor = this.#cursor;
    if (!cursor.enter(OPEN_OBJECT)) {
      cursor.skip();
      return false;
    }
    let content = false;
    while (cursor.nextKey()) {
      if (isContentKey(cursor)) content = cursor.skipFilled() || content;
      else cursor.skip();
    }
    return content;
  }

  #track(index: number, finished: boolean): void {
    if (!Number.isInteger(index) || index < 0 || index >= CHOICE_LIMIT) {
      this.#untracked = true;
      return;
    }
    const before = this.#choices[index];
    if (before === 2 || (before === 1 && !finished)) return;
    if (before === 1) this.#choicesOpen--;
    if (finished) this.#choicesFinished++;
    else this.#choicesOpen++;
    this.#choices[index] = finished ? 2 : 1;
  }

  #number(): number {
    const cursor = this.#cursor;
    const start = cursor.at;
    const end = cursor.skip();
    if (end - start === 1) return (cursor.buffer[start] ?? 0) - 0x30;
    return Number(cursor.buffer.toString('latin1', start, end));
  }

  #usage(): void {
    const value = this.#value();
    if (value !== undefined) this.facts.addUsage(openaiUsage(value));
  }

  #model(): void {
    if (this.facts.model === undefined) this.facts.model = modelName(this.#value());
    else this.#cursor.skip();
  }

  #error(): void {
    if (this.#cursor.peek() === NULL) this.#cursor.skip();
    else this.facts.addError(errorType(this.#value()));
  }

  /** The value that comes next, parsed; undefined for null and for what is no JSON. */
  #value(): unknown {
    const cursor = this.#cursor;
    const start = cursor.at;
    const isNull = cursor.peek() === NULL;
    const end = cursor.skip();
    return isNull ? undefined : parseSpan(cursor.buffer, start, end);
  }
}

function isContentKey(cursor: JsonCursor): boolean {
  for (const key of CONTENT_KEYS) if (cursor.keyIs(key)) return true;
  return false;
}
