/** What folds one streamed answer, event by event, into the one answer that the call without `stream` would have given. */
import type { JsonObject } from '../translate/translator.ts';
import { parseObject } from '../translate/wire/json.ts';

export interface Folder {
  /** Takes the next event's data, as text or parsed. Never throws: what is no event of the form changes nothing. */
  push(data: string | JsonObject): void;
  /** The stream's last event was seen, and none before it was broken or an error: nothing is missing. */
  readonly whole: boolean;
  /** The answer as far as it came; undefined before its beginning. May be called again, after more events. */
  result(): JsonObject | undefined;
}

/** @returns the event, or undefined for what is none */
export function eventOf(data: string | JsonObject): JsonObject | undefined {
  return typeof data === 'string' ? parseObject(data) : data;
}
