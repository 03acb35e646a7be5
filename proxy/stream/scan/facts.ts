/** What one scanner has learned, and small readers that several dialects share. */
import type { Verdict } from '../../exchange.ts';
import { type SseReader, spanIs } from './sse.ts';
import { laterUsage, objectOf, type Usage } from './usage.ts';

const NAME_LIMIT = 64;
const MODEL_LIMIT = 128;

/** Facts gathered event by event; one object a stream, changed in place. */
export class StreamFacts {
  terminalSeen = false;
  error: string | undefined;
  contentEvents = 0;
  model: string | undefined;
  usage: Usage | undefined;

  verdict(atBoundary: boolean, terminal: boolean = this.terminalSeen): Verdict {
    return {
      terminal: terminal ? 'seen' : 'missing',
      error: this.error,
      content: this.contentEvents > 0,
      atBoundary,
    };
  }

  addUsage(later: Usage): void {
    this.usage = laterUsage(this.usage, later);
  }

  /** The first error is the cause; later ones follow from it. */
  addError(type: string): void {
    this.error ??= type;
  }
}

/** An error's type as the provider names it, made harmless: a short word of letters, digits and `_.-`; otherwise `error`. */
export function errorType(error: unknown): string {
  const { type, code } = objectOf(error);
  for (const word of [type, code]) {
    if (typeof word === 'string' && /^[A-Za-z0-9_.-]+$/.test(word) && word !== 'error')
      return word.slice(0, NAME_LIMIT);
  }
  return 'error';
}

/** A model's name as the answer gives it, bounded. */
export function modelName(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MODEL_LIMIT) : undefined;
}

/** The current event's data as JSON; undefined when it is none, or was too long to keep whole. */
export function eventJson(event: SseReader): unknown {
  if (event.oversize) return undefined;
  return parseSpan(event.data, event.dataStart, event.dataEnd);
}

/** JSON of a span; undefined when it is none. */
export function parseSpan(buffer: Buffer, start: number, end: number): unknown {
  try {
    return JSON.parse(buffer.toString('utf8', start, end));
  } catch {
    return undefined;
  }
}

/** Whether the current event has the given name. */
export function nameIs(event: SseReader, word: Buffer): boolean {
  return spanIs(event.name, event.nameStart, event.nameEnd, word);
}

const TYPE_PREFIX = Buffer.from('{"type":"');

/**
 * For events that came without an `event:` line: their name is the data's `type`, as both providers repeat it there.
 * Sets the reader's name span to it, when it can be found.
 */
export function nameFromData(event: SseReader): void {
  const from = event.dataStart + TYPE_PREFIX.length;
  if (spanIs(event.data, event.dataStart, Math.min(from, event.dataEnd), TYPE_PREFIX)) {
    const quote = event.data.indexOf(0x22, from);
    if (quote === -1 || quote > event.dataEnd) return;
    setName(event, event.data, from, quote);
    return;
  }
  const { type } = objectOf(eventJson(event));
  if (typeof type !== 'string') return;
  const name = Buffer.from(type.slice(0, NAME_LIMIT));
  setName(event, name, 0, name.length);
}

function setName(event: SseReader, name: Buffer, start: number, end: number): void {
  event.name = name;
  event.nameStart = start;
  event.nameEnd = end;
}
