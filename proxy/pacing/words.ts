/** One event → its words, an event each; events that hold no text stay as they are. */
import { isUtf8 } from 'node:buffer';
import { hasProgress } from '#contract/progress.ts';

/** Forms whose text is known. Events of Responses are numbered, so that they keep a rhythm but are never split. */
export type PacedForm = 'messages' | 'chat' | 'responses';

export interface Piece {
  readonly bytes: Buffer;
  /** Of an event with text; undefined: of any other. */
  readonly text: string | undefined;
}

/** What an event may grow to when each of its words gets all that stands around the text; a longer one stays whole. */
const MOST_SPLIT_BYTES = 1024 ** 2;

type Json = Readonly<Record<string, unknown>>;

/** What tells an event with text from others before anything is parsed. */
const MARKS: Readonly<Record<PacedForm, Buffer>> = {
  messages: Buffer.from('text_delta'),
  chat: Buffer.from('"content"'),
  responses: Buffer.from('response.output_text.delta'),
};

/** @param raw one event as it came; pieces that are not split are these very bytes */
export function splitWords(raw: Buffer, form: PacedForm): Piece[] {
  const found = raw.includes(MARKS[form]) ? readText(raw, form) : undefined;
  if (found === undefined) return [{ bytes: raw, text: undefined }];
  const words = wordsOf(found.text);
  const around = raw.length - Buffer.byteLength(found.text);
  if (words.length < 2 || found.write === undefined || words.length * around > MOST_SPLIT_BYTES)
    return [{ bytes: raw, text: found.text }];
  const { write } = found;
  return words.map((text, index) => ({ bytes: Buffer.from(write(text, index === 0)), text }));
}

/** Each word with the white space before it; together they are the text. */
export function wordsOf(text: string): string[] {
  return text.match(/\s*\S+|\s+/gu) ?? [];
}

interface FoundText {
  readonly text: string;
  /** The event with another text; undefined: it cannot be split. */
  readonly write: ((text: string, isFirst: boolean) => string) | undefined;
}

function readText(raw: Buffer, form: PacedForm): FoundText | undefined {
  if (!isUtf8(raw)) return undefined;
  const lines = raw.toString('utf8').split(/\r\n|\n|\r/);
  const data = lines.filter((line) => line.startsWith('data:'));
  // Comments, ids and events of several data lines are rare; they keep their form.
  if (data.length !== 1 || lines.some((line) => line !== '' && !/^(?:data|event):/.test(line))) return undefined;
  const event = parse((data[0] ?? '').slice('data:'.length));
  const found = event && READERS[form](event);
  return found === undefined || found.text === '' || hasProgress(found.text) ? undefined : found;
}

function parse(text: string): Json | undefined {
  try {
    return members(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const READERS: Readonly<Record<PacedForm, (event: Json) => FoundText | undefined>> = {
  messages: (event) => {
    const delta = members(event['delta']);
    const text = delta['text'];
    if (event['type'] !== 'content_block_delta' || delta['type'] !== 'text_delta' || typeof text !== 'string')
      return undefined;
    return { text, write: (word) => sse({ ...event, delta: { ...delta, text: word } }, 'content_block_delta') };
  },
  chat: (event) => {
    const choices = Array.isArray(event['choices']) ? (event['choices'] as unknown[]) : [];
    const choice = members(choices[0]);
    const delta = members(choice['delta']);
    const text = delta['content'];
    if (choices.length !== 1 || typeof text !== 'string') return undefined;
    const whole = [choice['finish_reason'], choice['logprobs'], event['usage'], delta['tool_calls']];
    if (whole.some((value) => value !== null && value !== undefined)) return { text, write: undefined };
    const write = (word: string, isFirst: boolean): string =>
      sse({ ...event, choices: [{ ...choice, delta: isFirst ? { ...delta, content: word } : { content: word } }] });
    return { text, write };
  },
  responses: (event) => {
    const text = event['delta'];
    return typeof text === 'string' ? { text, write: undefined } : undefined;
  },
};

function sse(event: Json, name?: string): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(event)}\n\n`;
}

function members(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
