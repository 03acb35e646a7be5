/** System prompt and messages of a request → the messages of a Chat request, in order. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { filled, refuse, requireList, requireObject, requireString } from '../wire/json.ts';
import { assistantMessage } from './assistant.ts';
import { blocksAt, type ChatPart, contentOf, partsOf, textPart } from './content.ts';
import { lose, remark } from './loss.ts';
import { toolResult } from './tool-results.ts';

/** @throws ProxyError bad_request that names the field which cannot be read or carried */
export function conversation(body: JsonObject, context: TranslationContext): JsonObject[] {
  const turns = requireList(body['messages'], 'messages').map((turn, at) => requireObject(turn, `messages[${at}]`));
  const messages = turns.flatMap((turn, at) => turnMessages(turn, `messages[${at}]`, context));
  if (turns.at(-1)?.['role'] === 'assistant')
    lose(context, 'prefill', `messages[${turns.length - 1}]`, 'let a message of the user be the last one');
  return [...systemMessages(body['system'], 'system', context), ...messages];
}

function turnMessages(turn: JsonObject, path: string, context: TranslationContext): JsonObject[] {
  switch (turn['role']) {
    case 'user':
      return userMessages(turn['content'], `${path}.content`, context);
    case 'assistant':
      return [assistantMessage(turn['content'], `${path}.content`, context)];
    case 'system':
      return systemMessages(turn['content'], `${path}.content`, context);
    default:
      return refuse(`${path}.role`, '"user", "assistant" or "system"');
  }
}

/** Claude Code writes this line anew for each request; the model never sees it, and a prompt cache would never hit behind it. */
const BILLING_HEADER = /^x-anthropic-billing-header:/;

function systemMessages(system: JsonValue | undefined, path: string, context: TranslationContext): JsonObject[] {
  if (system === undefined || system === null) return [];
  const parts = blocksAt(system, path).flatMap(({ block, path: at }) => {
    if (block['type'] !== 'text') return refuse(`${at}.type`, '"text"');
    if (!BILLING_HEADER.test(requireString(block['text'], `${at}.text`))) return partsOf({ block, path: at }, context);
    remark(context, 'billing_header');
    return [];
  });
  return parts.length > 0 ? [{ role: 'system', content: contentOf(parts) }] : [];
}

/** Results first, as a Chat upstream wants them right behind the calls; then everything else that the user said. */
function userMessages(content: JsonValue | undefined, path: string, context: TranslationContext): JsonObject[] {
  const blocks = blocksAt(content, path);
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
