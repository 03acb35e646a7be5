/**
 * The conversation: OpenAI's list of messages → Anthropic's `system` and its turns. System messages speak from the start, all
 * that one side says in a row is one turn, and tool results are said by the user.
 */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { isObject, requireList, requireObject } from '../wire/json.ts';
import { toolUseId } from '../wire/messages.ts';
import { contentBlocks, textBlocks } from './content.ts';
import { badField, given, textAt, textOf } from './field.ts';
import { lose, remark } from './loss.ts';
import { inOrder, returnedThinking } from './thinking-blocks.ts';

export interface Conversation {
  /** Members `system` and `messages` of a Messages request. */
  readonly members: JsonObject;
  /** Names of the tools that were called. */
  readonly called: ReadonlySet<string>;
  /** The turn under way has tool calls and came back without the thinking that led to them. */
  readonly unsigned: boolean;
}

interface Turn {
  readonly role: 'user' | 'assistant';
  readonly blocks: JsonObject[];
}

/** Members of a message that are read, or that an answer holds and no model needs to see again. */
const READ = new Set([
  'role',
  'content',
  'refusal',
  'audio',
  'tool_calls',
  'tool_call_id',
  'function_call',
  'reasoning_content',
  'thinking_blocks',
  'annotations',
]);

/** @throws ProxyError bad_request that names the field */
export function conversationOf(body: JsonObject, context: TranslationContext): Conversation {
  const reader = new ConversationReader(context);
  for (const [index, message] of requireList(body['messages'], 'messages').entries())
    reader.read(requireObject(message, `messages[${index}]`), `messages[${index}]`);
  const { system, called } = reader;
  const turns = endsInText(reader.turns);
  if (turns.length === 0)
    throw badField('messages', 'this upstream needs a message of the user beside the system prompt');
  return {
    members: {
      ...(system.length > 0 && { system: simplest(system) }),
      messages: turns.map(({ role, blocks }) => ({ role, content: simplest(blocks) })),
    },
    called,
    unsigned: isUnsigned(turns),
  };
}

class ConversationReader {
  readonly system: JsonObject[] = [];
  readonly turns: Turn[] = [];
  readonly called = new Set<string>();
  readonly #context: TranslationContext;
  /** Ids that were made for calls of the older form, which have none, in the order in which results are due. */
  readonly #due: string[] = [];
  #made = 0;

  constructor(context: TranslationContext) {
    this.#context = context;
  }

  read(message: JsonObject, field: string): void {
    this.#remarkOthers(message);
    const content = `${field}.content`;
    switch (message['role']) {
      case 'system':
      case 'developer':
        if (this.turns.length > 0) lose(this.#context, 'system_position', field);
        append(this.system, contentBlocks(message['content'], content, this.#context));
        return;
      case 'user':
        this.#say('user', contentBlocks(message['content'], content, this.#context));
        return;
      case 'assistant':
        this.#say('assistant', this.#assistant(message, field));
        return;
      case 'tool':
        this.#say('user', [this.#result(textAt(message['tool_call_id'], `${field}.tool_call_id`), message, content)]);
        return;
      case 'function':
        this.#say('user', [this.#result(this.#due.shift() ?? madeId(0), message, content)]);
        return;
      default:
        throw badField(`${field}.role`, 'use "system", "developer", "user", "assistant" or "tool"');
    }
  }

  #remarkOthers(message: JsonObject): void {
    for (const [name, value] of Object.entries(message)) {
      if (value === null || READ.has(name)) continue;
      if (name !== 'name') remark(this.#context, 'message_field');
      else if (message['role'] !== 'function') remark(this.#context, 'message_name');
    }
  }

  #say(role: Turn['role'], blocks: JsonObject[]): void {
    const last = this.turns.at(-1);
    if (last?.role === role) append(last.blocks, blocks);
    else if (blocks.length > 0) this.turns.push({ role, blocks });
  }

  #assistant(message: JsonObject, field: string): JsonObject[] {
    if (given(message, 'audio') !== undefined)
      throw badField(`${field}.audio`, 'send the transcript as "content": this upstream hears nothing');
    const { content } = message;
    const thinking = returnedThinking(message, this.#context);
    const refusal = textOf(given(message, 'refusal')) ?? '';
    const calls = this.#calls(message, field);
    if (typeof content === 'string' || content === undefined || content === null)
      return inOrder(thinking, `${content ?? ''}${refusal}`, calls);
    // Parts are the client's own: nothing tells where among them the thinking was.
    const parts = contentBlocks(content, `${field}.content`, this.#context);
    return [...thinking.map(({ block }) => block), ...parts, ...textBlocks(refusal), ...calls];
  }

  #calls(message: JsonObject, field: string): JsonObject[] {
    const calls = given(message, 'tool_calls');
    if (calls !== undefined)
      return requireList(calls, `${field}.tool_calls`).map((call, index) =>
        this.#call(call, `${field}.tool_calls[${index}]`),
      );
    const older = given(message, 'function_call');
    if (older === undefined) return [];
    const id = madeId(this.#made++);
    this.#due.push(id);
    return [this.#use(id, requireObject(older, `${field}.function_call`), `${field}.function_call`)];
  }

  #call(value: JsonValue, field: string): JsonObject {
    const call = requireObject(value, field);
    if (!isObject(call['function']))
      throw badField(field, 'only calls of "function" tools can be sent to this upstream');
    return this.#use(toolUseId(textAt(call['id'], `${field}.id`)), call['function'], `${field}.function`);
  }

  #use(id: string, called: JsonObject, field: string): JsonObject {
    const name = textAt(called['name'], `${field}.name`);
    this.called.add(name);
    return { type: 'tool_use', id, name, input: inputOf(called['arguments'], `${field}.arguments`) };
  }

  #result(id: string, message: JsonObject, field: string): JsonObject {
    const blocks = contentBlocks(message['content'], field, this.#context);
    const content = blocks.length === 0 ? {} : { content: simplest(blocks) };
    return { type: 'tool_result', tool_use_id: toolUseId(id), ...content };
  }
}

/** One by one: a request may hold more than a call takes arguments. */
function append(blocks: JsonObject[], more: readonly JsonObject[]): void {
  for (const block of more) blocks.push(block);
}

/** An answer that the model shall go on with may not end in blanks: the API refuses it. */
function endsInText(turns: readonly Turn[]): readonly Turn[] {
  const last = turns.at(-1);
  const block = last?.blocks.at(-1);
  if (last?.role !== 'assistant' || block?.['type'] !== 'text') return turns;
  const text = { ...block, text: textOf(block['text'])?.trimEnd() ?? '' };
  return [...turns.slice(0, -1), { role: last.role, blocks: [...last.blocks.slice(0, -1), text] }];
}

/** Calls without arguments come as an empty text from some models. */
function inputOf(value: JsonValue | undefined, field: string): JsonObject {
  if (isObject(value)) return value;
  const text = textOf(value)?.trim() ?? '';
  if (text === '') return {};
  try {
    const input: unknown = JSON.parse(text);
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as JsonObject;
  } catch {
    // Told below.
  }
  throw badField(field, 'send a JSON object as text; the call may have been cut off');
}

function madeId(index: number): string {
  return `call_${index}`;
}

/** A single plain text is written as one, as clients of the API do. */
function simplest(blocks: readonly JsonObject[]): JsonValue {
  const [only, ...others] = blocks;
  const plain = only?.['type'] === 'text' && Object.keys(only).length === 2 && others.length === 0;
  return plain ? (only['text'] ?? '') : blocks;
}

function isUnsigned(turns: readonly Turn[]): boolean {
  const last = turns.findLast(({ role }) => role === 'assistant');
  const types = last?.blocks.map(({ type }) => type) ?? [];
  return types.includes('tool_use') && types[0] !== 'thinking' && types[0] !== 'redacted_thinking';
}
