/** System prompt and messages of a request → the messages of a Chat request, in order. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { filled, refuse, requireList, requireObject, requireString } from '../wire/json.ts';
import { assistantMessages } from './assistant.ts';
import { blocksAt, type ChatPart, contentOf, type PlacedBlock, partsOf, textPart } from './content.ts';
import { lose, remark } from './loss.ts';
import { toolResult } from './tool-results.ts';

interface Turn {
  readonly role: 'user' | 'assistant' | 'system';
  readonly blocks: PlacedBlock[];
  /** Of its last message in the request. */
  path: string;
}

/** @throws ProxyError bad_request that names the field which cannot be read or carried */
export function conversation(body: JsonObject, context: TranslationContext): JsonObject[] {
  const turns = turnsOf(requireList(body['messages'], 'messages'));
  const messages = turns.flatMap((turn) => turnMessages(turn, context));
  const last = turns.at(-1);
  if (last?.role === 'assistant') lose(context, 'prefill', last.path, 'let a message of the user be the last one');
  const { system } = body;
  const beginning = system === undefined || system === null ? [] : blocksAt(system, 'system');
  return [...systemMessages(beginning, context), ...messages];
}

/** What one side says in a row is one turn, as it is for the API: calls of several messages are answered together. */
function turnsOf(messages: readonly JsonValue[]): Turn[] {
  const turns: Turn[] = [];
  for (const [at, value] of messages.entries()) {
    const path = `messages[${at}]`;
    const said = requireObject(value, path);
    const role = roleOf(said['role'], `${path}.role`);
    const last = turns.at(-1);
    const turn: Turn = last?.role === role && role !== 'system' ? last : { role, blocks: [], path };
    if (turn !== last) turns.push(turn);
    turn.path = path;
    for (const block of blocksAt(said['content'], `${path}.content`)) turn.blocks.push(block);
  }
  return turns;
}

function roleOf(role: JsonValue | undefined, path: string): Turn['role'] {
  if (role === 'user' || role === 'assistant' || role === 'system') return role;
  return refuse(path, '"user", "assistant" or "system"');
}

function turnMessages({ role, blocks }: Turn, context: TranslationContext): JsonObject[] {
  switch (role) {
    case 'user':
      return userMessages(blocks, context);
    case 'assistant':
      return assistantMessages(blocks, context);
    case 'system':
      return systemMessages(blocks, context);
  }
}

/** Claude Code writes this line anew for each request; the model never sees it, and a prompt cache would never hit behind it. */
const BILLING_HEADER = /^x-anthropic-billing-header:/;

function systemMessages(blocks: readonly PlacedBlock[], context: TranslationContext): JsonObject[] {
  const parts = blocks.flatMap(({ block, path: at }) => {
    if (block['type'] !== 'text') return refuse(`${at}.type`, '"text"');
    if (!BILLING_HEADER.test(requireString(block['text'], `${at}.text`))) return partsOf({ block, path: at }, context);
    remark(context, 'billing_header');
    return [];
  });
  return parts.length > 0 ? [{ role: 'system', content: contentOf(parts) }] : [];
}

/** Results first, as a Chat upstream wants them right behind the calls; then everything else that the user said. */
function userMessages(blocks: readonly PlacedBlock[], context: TranslationContext): JsonObject[] {
  const results = blocks
    .filter(({ block }) => block['type'] === 'tool_result')
    .map((placed) => toolResult(placed, context));
  const said = blocks
    .filter(({ block }) => block['type'] !== 'tool_result')
    .flatMap((placed) => partsOf(placed, context));
  const rest = [...results.flatMap(({ attachments }) => attachments), ...said];
  const messages = results.map(({ message }) => message);
  if (rest.length === 0 && messages.length > 0) return messages;
  const last = messages.at(-1);
  if (last === undefined || context.flavor.userAfterTool)
    return [...messages, { role: 'user', content: contentOf(rest) }];
  return [...messages.slice(0, -1), withParts(last, rest)];
}

/** For servers that allow no user's message behind a tool's: the last result takes what the user said. */
function withParts(message: JsonObject, parts: readonly ChatPart[]): JsonObject {
  const own = filled(message['content']);
  return { ...message, content: contentOf(own === undefined ? parts : [textPart(own), ...parts]) };
}
