/** A record → the conversation as people read it: who said what, in order, whatever the protocol; a stream's deltas joined. */
import { foldStream } from '../../fold/fold-stream.ts';
import { formOf } from './spoken-text.ts';

export interface Part {
  /** `other`: what has no words, such as an image, or a body in no form that we know. */
  readonly kind: 'text' | 'thinking' | 'call' | 'result' | 'other';
  readonly text: string;
  /** Of the tool that is called. */
  readonly name?: string;
}

export interface Turn {
  readonly role: string;
  readonly parts: readonly Part[];
}

type Fields = Readonly<Record<string, unknown>>;

/** @param record as it was parsed; anything else gives no turns */
export function conversationOf(record: unknown): readonly Turn[] {
  const { request, response } = fieldsOf(record);
  const { target } = fieldsOf(request);
  const path = typeof target === 'string' ? (target.split('?', 1)[0] ?? '') : '';
  return [...asked(textOf(request)), ...answered(textOf(response), path)].filter(({ parts }) => parts.length > 0);
}

function asked(text: string | undefined): Turn[] {
  if (text === undefined) return [];
  const body = parse(text);
  if (body === undefined) return [{ role: 'user', parts: otherPart(text) }];
  const { system, instructions, messages, input, prompt } = body;
  return [
    { role: 'system', parts: [...partsOf(system), ...partsOf(instructions)] },
    ...listOf(messages).map(turnOf),
    ...(typeof input === 'string' ? [{ role: 'user', parts: partsOf(input) }] : listOf(input).map(turnOf)),
    { role: 'user', parts: partsOf(prompt) },
  ];
}

function answered(text: string | undefined, path: string): Turn[] {
  if (text === undefined || text === '') return [];
  const form = formOf(path);
  const body = parse(text) ?? (form && foldStream(form, Buffer.from(text))?.answer);
  if (body === undefined) return [{ role: 'assistant', parts: otherPart(text) }];
  const { error, content, choices, output, role } = fieldsOf(body);
  const message = fieldsOf(error)['message'];
  const turns = [
    ...(content === undefined ? [] : [turnOf({ role: role ?? 'assistant', content })]),
    ...listOf(choices).map((choice) => turnOf({ role: 'assistant', ...fieldsOf(fieldsOf(choice)['message']) })),
    ...listOf(output).map((item) => turnOf({ role: 'assistant', ...fieldsOf(item) })),
    { role: 'error', parts: typeof message === 'string' ? [{ kind: 'text' as const, text: message }] : [] },
  ];
  return turns.some(({ parts }) => parts.length > 0) ? turns : [{ role: 'assistant', parts: otherPart(text) }];
}

/** A message of any of the protocols, or an item of Responses, which is its own message. */
function turnOf(message: unknown): Turn {
  const fields = fieldsOf(message);
  const { role, content, reasoning_content: reasoning, reasoning: also, refusal, tool_calls: calls, type } = fields;
  const isItem = role === undefined || content === undefined;
  return {
    role: typeof role === 'string' ? role : type === 'function_call_output' ? 'tool' : 'assistant',
    parts: [
      ...[reasoning, also].flatMap((text) =>
        typeof text === 'string' && text !== '' ? [{ kind: 'thinking' as const, text }] : [],
      ),
      ...(role === 'tool' ? partsOf(content).map((part) => ({ ...part, kind: 'result' as const })) : partsOf(content)),
      ...partsOf(refusal),
      ...listOf(calls).flatMap((call) => callOf(fieldsOf(fieldsOf(call)['function']))),
      ...(isItem && typeof type === 'string' && type !== 'message' ? blockOf(fields) : []),
    ],
  };
}

function partsOf(content: unknown): Part[] {
  if (typeof content === 'string') return content === '' ? [] : [{ kind: 'text', text: content }];
  return listOf(content).flatMap((block) => (typeof block === 'string' ? partsOf(block) : blockOf(fieldsOf(block))));
}

function blockOf(block: Fields): Part[] {
  const { type, text, thinking, content, output, summary, refusal } = block;
  switch (type) {
    case 'thinking':
      return typeof thinking === 'string' && thinking !== '' ? [{ kind: 'thinking', text: thinking }] : [];
    case 'reasoning':
      return [...partsOf(summary), ...partsOf(content)].map((part) => ({ ...part, kind: 'thinking' as const }));
    case 'tool_use':
    case 'server_tool_use':
    case 'function_call':
      return callOf(block);
    case 'tool_result':
      return partsOf(content).map((part) => ({ ...part, kind: 'result' as const }));
    case 'function_call_output':
      return partsOf(output).map((part) => ({ ...part, kind: 'result' as const }));
    case 'refusal':
      return partsOf(refusal);
    default:
      if (typeof text === 'string') return partsOf(text);
      return [{ kind: 'other', text: `[${typeof type === 'string' ? type : 'unknown'}]` }];
  }
}

function callOf({ name, input, arguments: given }: Fields): Part[] {
  const text = typeof given === 'string' ? given : JSON.stringify(input ?? given ?? {}, undefined, 2);
  return [{ kind: 'call', text, ...(typeof name === 'string' && { name }) }];
}

function otherPart(text: string): Part[] {
  return text === '' ? [] : [{ kind: 'other', text }];
}

function textOf(message: unknown): string | undefined {
  const { text } = fieldsOf(fieldsOf(message)['body']);
  return typeof text === 'string' ? text : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function parse(text: string): Fields | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}
