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

/** A folder that knows events which differ in nothing but a text that goes on. */
export interface GrowingFolder extends Folder {
  /**
   * @param event that push() took just before
   * @returns name of the member whose text it continued; undefined unless the same event, with another text there, would do no more
   *   than continue it again
   */
  growing(event: JsonObject): string | undefined;
}

/** @returns the event, or undefined for what is none */
export function eventOf(data: string | JsonObject): JsonObject | undefined {
  return typeof data === 'string' ? parseObject(data) : data;
}
