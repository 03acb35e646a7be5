/** What was said in a body: its texts without the protocol around them, and a stream's deltas joined, so that words that chunks cut are whole. */
import { foldStream } from '../../fold/fold-stream.ts';
import type { Form } from '../../translate/translator.ts';
import { looksLikeBrokenJson, stringsOf } from './broken-json.ts';

/** Of each side of an exchange; of a longer one the end is kept, as a conversation's history comes first. */
const MOST_TEXT = 1024 * 1024;
const MOST_DEPTH = 64;

/** Members that carry no speech: names, signatures and binary content. */
const SILENT: ReadonlySet<string> = new Set([
  'id',
  'type',
  'role',
  'object',
  'model',
  'index',
  'data',
  'signature',
  'encrypted_content',
  'media_type',
  'cache_control',
  'tool_use_id',
  'tool_call_id',
  'call_id',
  'item_id',
  'finish_reason',
  'stop_reason',
  'status',
  'system_fingerprint',
  'service_tier',
  'image_url',
  'tools',
  'tool_choice',
  'metadata',
  'safety_identifier',
]);

/** @param path of the request, which says in which form a stream speaks */
export function spokenText(text: string, path: string): string {
  const json = parse(text);
  if (json !== undefined) return joined(json);
  if (looksLikeBrokenJson(text)) return joinedStrings(text);
  const form = formOf(path);
  const folded =
    form && /^(?:\ufeff|\s)*(?:event|data|id|retry)?:/.test(text) ? foldStream(form, Buffer.from(text)) : undefined;
  return folded ? joined(folded.answer) : tail(text);
}

/** @param path of the request */
export function formOf(path: string): Form | undefined {
  if (path.endsWith('/messages')) return 'messages';
  if (path.endsWith('/chat/completions')) return 'chat';
  return path.endsWith('/responses') ? 'responses' : undefined;
}

function joined(json: unknown): string {
  const texts: string[] = [];
  collect(json, texts, 0);
  return tail(texts.join('\n'));
}

/** Of a body that was cut, or that a mask spoiled. */
function joinedStrings(text: string): string {
  return tail(stringsOf(text, { silent: SILENT, mostDepth: MOST_DEPTH }).filter(isSpeech).join('\n'));
}

function isSpeech(text: string): boolean {
  return text !== '' && !text.startsWith('data:');
}

function collect(value: unknown, texts: string[], depth: number): void {
  if (typeof value === 'string') {
    if (isSpeech(value)) texts.push(value);
  } else if (depth >= MOST_DEPTH || typeof value !== 'object' || value === null) return;
  else if (Array.isArray(value)) for (const item of value as unknown[]) collect(item, texts, depth + 1);
  else for (const [name, member] of Object.entries(value)) if (!SILENT.has(name)) collect(member, texts, depth + 1);
}

function tail(text: string): string {
  return text.length > MOST_TEXT ? text.slice(-MOST_TEXT) : text;
}

function parse(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
