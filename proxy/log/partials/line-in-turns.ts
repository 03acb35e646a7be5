/**
 * A record as the line that targets get, written in several turns of the event loop: escaping takes some 10 ms for a MiB, for which
 * a stream that is under way need not wait. The line says the same as the one that is written at once.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LoggedRecord, RecordedMessage } from '../record.ts';
import { LONGEST_LINE_BYTES, recordLine } from '../record-line.ts';

/** Characters that are escaped in one turn. */
const TURN_LENGTH = 64 * 1024;

/** @returns the line with its newline */
export async function lineInTurns(
  record: LoggedRecord,
  turnLength = TURN_LENGTH,
  mostBytes = LONGEST_LINE_BYTES,
): Promise<Buffer> {
  const texts: { readonly mark: string; readonly text: string }[] = [];
  // Stands in the body for a text; being chance, it stands nowhere else.
  const marked = <Message extends RecordedMessage>(message: Message): Message => {
    const text = message.body?.text;
    if (message.body === undefined || text === undefined || text.length <= turnLength) return message;
    const mark = randomUUID();
    texts.push({ mark, text });
    return { ...message, body: { ...message.body, text: mark } };
  };
  const { request, response } = record;
  const short = { ...record, request: marked(request), ...(response && { response: marked(response) }) };
  if (texts.length === 0) return recordLine(record, mostBytes);
  let rest = recordLine(short).toString();
  const parts: Buffer[] = [];
  for (const { mark, text } of texts) {
    const at = rest.indexOf(mark);
    parts.push(Buffer.from(rest.slice(0, at)), ...(await escaped(text, turnLength)));
    rest = rest.slice(at + mark.length);
  }
  parts.push(Buffer.from(rest));
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return length <= mostBytes ? Buffer.concat(parts, length) : recordLine(record, mostBytes);
}

async function escaped(text: string, turnLength: number): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (let from = 0; from < text.length; ) {
    await nextTurn();
    let to = from + turnLength;
    // Not between the halves of a character, which would be written as two escapes.
    if ((text.charCodeAt(to - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(to) & 0xfc00) === 0xdc00) to++;
    parts.push(Buffer.from(JSON.stringify(text.slice(from, to)).slice(1, -1)));
    from = to;
  }
  return parts;
}
