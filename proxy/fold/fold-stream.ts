/** A recorded stream's bytes → the one answer: for the log's assembled answer, and for clients that asked for no stream. */
import { SseEventReader } from '../translate/sse.ts';
import type { Form, JsonObject } from '../translate/translator.ts';
import { foldChat } from './chat.ts';
import type { Folder } from './folder.ts';
import { JoiningFolder } from './joining.ts';
import { foldMessages } from './messages.ts';
import { parsePartialJson } from './partial-json.ts';
import { foldResponses } from './responses.ts';

const FOLDERS: Readonly<Record<Form, (parseInput: typeof parsePartialJson) => Folder>> = {
  messages: (parseInput) => new JoiningFolder(foldMessages(parseInput)),
  chat: () => new JoiningFolder(foldChat()),
  // Its events are numbered: no two are alike.
  responses: foldResponses,
};

/**
 * A folder for streams of the form.
 * @param parseInput reads a tool's arguments where the answer holds them parsed; undefined for what it cannot read
 */
export function folderFor(form: Form, parseInput = parsePartialJson): Folder {
  return FOLDERS[form](parseInput);
}

/**
 * @param bytes of the stream, without content-encoding; may be cut anywhere
 * @returns undefined when the bytes hold no beginning of an answer; `whole` tells whether its last event was there. Never throws.
 */
export function foldStream(form: Form, bytes: Buffer): { answer: JsonObject; whole: boolean } | undefined {
  const folder = folderFor(form);
  const reader = new SseEventReader(({ data }) => folder.push(data));
  reader.push(bytes);
  reader.end();
  const answer = folder.result();
  return answer === undefined ? undefined : { answer, whole: folder.whole && !reader.overflown };
}
