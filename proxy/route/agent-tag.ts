/**
 * The agent's name inside a system prompt: the text between two literal marks (spec.agentTag). Read from the peeked bytes of
 * the body, only for requests whose route depends on it. Pure.
 */
import type { AgentTag } from '#contract/compiled.ts';
import type { Dialect } from '#contract/dialect.ts';
import type { BodyFact } from './match.ts';

/** A name that is longer than this is none, as in the resource. */
const MAX_NAME_LENGTH = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Where a system prompt stands in the body: top-level keys, in the order in which they are looked at. */
export function promptKeys(dialect: Dialect, path: string): readonly string[] {
  switch (dialect) {
    case 'anthropic':
      return ['system'];
    case 'openai':
      return path.startsWith('/v1/responses') ? ['instructions', 'input'] : ['messages'];
    case 'raw':
      return [];
  }
}

/** A top-level value as far as it was read. */
export interface PeekedValue {
  readonly bytes: Buffer;
  readonly whole: boolean;
}

/**
 * Looks for the name.
 * @param peeked the value of a key; undefined when the key was not seen
 * @param allSeen whether the body was read to its end, so that a key that was not seen is not there
 */
export function agentInPrompt(
  tag: AgentTag,
  keys: readonly string[],
  peeked: (key: string) => PeekedValue | undefined,
  allSeen: boolean,
): BodyFact {
  for (const key of keys) {
    const value = peeked(key);
    if (!value && allSeen) continue;
    const prompt = value && promptIn(key, value);
    if (!prompt) return { kind: 'unread' };
    const name = nameInTexts(tag, prompt.content);
    if (name !== undefined) return { kind: 'read', value: name };
  }
  return { kind: 'read', value: undefined };
}

/** @returns undefined when too little of the value was read to tell */
function promptIn(key: string, { bytes, whole }: PeekedValue): { readonly content: unknown } | undefined {
  // The input of Responses is the user's own when it is a text; instructions stand beside it.
  if (key === 'input' && bytes[0] === QUOTE) return { content: undefined };
  if (key === 'messages' || key === 'input')
    return firstInstruction(bytes) ?? (whole ? { content: undefined } : undefined);
  return whole ? { content: parse(bytes) } : undefined;
}

/** The content of the first message of the role system or developer. */
function firstInstruction(list: Buffer): { readonly content: unknown } | undefined {
  for (const element of elements(list)) {
    // Cheaper than parsing every message of a long conversation.
    if (!element.includes('"system"') && !element.includes('"developer"')) continue;
    const message = parse(element);
    if (typeof message !== 'object' || message === null) continue;
    const { role, content } = message as { role?: unknown; content?: unknown };
    if (role === 'system' || role === 'developer') return { content };
  }
  return undefined;
}

/** @param content a text, or a list of blocks with texts */
function nameInTexts(tag: AgentTag, content: unknown): string | undefined {
  const blocks: unknown[] = Array.isArray(content) ? content : [content];
  for (const block of blocks) {
    const text = typeof block === 'string' ? block : (block as { text?: unknown } | null)?.text;
    const name = typeof text === 'string' ? nameInText(tag, text) : undefined;
    if (name !== undefined) return name;
  }
  return undefined;
}

function nameInText({ open, close }: AgentTag, text: string): string | undefined {
  const start = text.indexOf(open);
  if (start === -1) return undefined;
  const end = text.indexOf(close, start + open.length);
  if (end === -1) return undefined;
  const name = text.slice(start + open.length, end).trim();
  return name === '' || name.length > MAX_NAME_LENGTH ? undefined : name;
}

/** The objects of a JSON array, each as its own bytes; stops where the bytes do. */
function* elements(list: Buffer): Generator<Buffer> {
  let depth = 0;
  let start = 0;
  for (let index = 0; index < list.length; index += 1) {
    const byte = list[index];
    if (byte === QUOTE) {
      index = endOfString(list, index);
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth === 2) start = index;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      if (depth === 1) yield list.subarray(start, index + 1);
    }
  }
}

/** Index of the quote that closes a string; the end of the bytes when none does. */
function endOfString(bytes: Buffer, open: number): number {
  for (let quote = bytes.indexOf(QUOTE, open + 1); quote !== -1; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let run = 0;
    while (bytes[quote - 1 - run] === BACKSLASH) run += 1;
    if (run % 2 === 0) return quote;
  }
  return bytes.length;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // What is no JSON is the upstream's to refuse.
    return undefined;
  }
}
