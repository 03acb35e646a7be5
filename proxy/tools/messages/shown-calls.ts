/**
 * Our calls and their results as the client sees them where the route shows them: blocks of the Messages API for tools that run at the
 * server. What the client sends back becomes the conversation again that the model had.
 */
import { type Json, listOf, membersOf, type ToolCall, type ToolResult } from '../tool.ts';
import { resultBlock } from './result-block.ts';

/** By which blocks of ours are known. */
const ID_PREFIX = 'mcptoolu_sluice_';
const SERVER_NAME = 'sluice';

/** @param input as the model gave it */
export function shownCall({ id, name, argumentsText }: ToolCall): Json {
  return { type: 'mcp_tool_use', id: ID_PREFIX + id, name, server_name: SERVER_NAME, input: readInput(argumentsText) };
}

/** Text alone has a place in these blocks. */
export function shownResult({ id }: ToolCall, { content, isError }: ToolResult): Json {
  const texts = content.map((part) => ({
    type: 'text',
    text: part.kind === 'text' ? part.text : `[image: ${part.mediaType}]`,
  }));
  return { type: 'mcp_tool_result', tool_use_id: ID_PREFIX + id, is_error: isError, content: texts };
}

function readInput(text: string): Json {
  try {
    return membersOf(JSON.parse(text));
  } catch {
    return {};
  }
}

/** The request with every answer that holds shown calls taken apart into the turns of which it was made. */
export function restoreCalls(body: Json): Json {
  const messages = listOf(body['messages']);
  if (!messages.some(hasShownCalls)) return body;
  const restored = messages.flatMap((message) => (hasShownCalls(message) ? turnsOf(membersOf(message)) : [message]));
  return { ...body, messages: restored.reduce<readonly unknown[]>(joinResults, []) };
}

/** Our results and the client's answer the same turn, so that they stand in one message, as results have to: before all else. */
function joinResults(before: readonly unknown[], message: unknown): readonly unknown[] {
  const last = membersOf(before.at(-1));
  const next = membersOf(message);
  if (last['role'] !== 'user' || next['role'] !== 'user' || !beginsWithResult(last)) return [...before, message];
  const content =
    typeof next['content'] === 'string' ? [{ type: 'text', text: next['content'] }] : listOf(next['content']);
  return [...before.slice(0, -1), { ...next, content: [...listOf(last['content']), ...content] }];
}

function beginsWithResult({ content }: Json): boolean {
  return membersOf(listOf(content)[0])['type'] === 'tool_result';
}

function hasShownCalls(message: unknown): boolean {
  return listOf(membersOf(message)['content']).some((block) => originalId(membersOf(block)) !== undefined);
}

/** The model's own id of a call or of its result, if the block is one of ours. */
function originalId({ type, id, tool_use_id: answered }: Json): string | undefined {
  const shown = type === 'mcp_tool_use' ? id : type === 'mcp_tool_result' ? answered : undefined;
  return typeof shown === 'string' && shown.startsWith(ID_PREFIX) ? shown.slice(ID_PREFIX.length) : undefined;
}

function turnsOf(message: Json): Json[] {
  const blocks = listOf(message['content']).map(membersOf);
  const answered = new Set(
    blocks.flatMap((block) => (block['type'] === 'mcp_tool_result' ? (originalId(block) ?? []) : [])),
  );
  const turns: Json[] = [];
  let said: Json[] = [];
  let results: Json[] = [];
  const endTurn = (): void => {
    if (said.length > 0) turns.push({ ...message, content: said });
    if (results.length > 0) turns.push({ role: 'user', content: results });
    said = [];
    results = [];
  };
  for (const block of blocks) {
    const id = originalId(block);
    if (id !== undefined && block['type'] === 'mcp_tool_result') {
      results.push(resultBlock(id, listOf(block['content']).map(membersOf), block['is_error'] === true));
      continue;
    }
    if (results.length > 0) endTurn();
    if (id === undefined) said.push(block);
    // A call whose result the client never got is none that a provider accepts.
    else if (answered.has(id)) said.push({ type: 'tool_use', id, name: block['name'], input: block['input'] ?? {} });
  }
  endTurn();
  return turns;
}
