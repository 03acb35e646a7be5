/** A record as the line that targets get: one that is too long for them leaves out its bodies' content, and says so. */
import type { LoggedRecord, RecordedMessage } from './record.ts';

type Response = NonNullable<LoggedRecord['response']>;

/**
 * Escapes make six bytes of one. What is longer takes targets' threads, which parse it and write it into another form, to the end
 * of their memory, and a thread that ends there may end the process.
 */
export const LONGEST_LINE_BYTES = 64 * 1024 ** 2;

/** @returns the line with its newline */
export function recordLine(record: LoggedRecord, mostBytes = LONGEST_LINE_BYTES): Buffer {
  const whole = written(record);
  if (whole !== undefined && whole.length <= mostBytes) return whole;
  const { request, response } = record;
  return lineOf({
    ...record,
    request: withoutContent(request),
    ...(response && { response: withoutContent(withoutAssembled(response)) }),
  });
}

/** @returns undefined for a text that is longer than any may be */
function written(record: LoggedRecord): Buffer | undefined {
  try {
    return lineOf(record);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function lineOf(record: LoggedRecord): Buffer {
  return Buffer.from(`${JSON.stringify(record)}\n`);
}

/** Size and digest stay. */
function withoutContent<Message extends RecordedMessage>(message: Message): Message {
  if (!message.body) return message;
  const { text: _text, base64: _base64, ...rest } = message.body;
  return { ...message, body: { ...rest, truncated: true } };
}

function withoutAssembled(response: Response): Response {
  const { assembled: _assembled, assembledSpoiled: _spoiled, ...rest } = response;
  return rest;
}
