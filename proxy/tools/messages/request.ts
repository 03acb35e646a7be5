/** Requests of the Messages API in a tool loop: our tools added, our results appended. */
import type { CheckedTool } from '../checked-tool.ts';
import type { FinishedTurn } from '../dialect.ts';
import { type Json, listOf, membersOf, type ToolContent, type ToolResult } from '../tool.ts';
import { resultBlock } from './result-block.ts';

export function clientTools(body: Json): ReadonlySet<string> {
  return new Set(
    listOf(body['tools']).flatMap((tool) => {
      const { name } = membersOf(tool);
      return typeof name === 'string' ? [name] : [];
    }),
  );
}

export function forbidsTools(body: Json): boolean {
  return membersOf(body['tool_choice'])['type'] === 'none';
}

/** Behind the client's own and always in the same order, so that the provider's prompt cache holds. */
export function withTools(body: Json, tools: readonly CheckedTool[]): Json {
  if (tools.length === 0) return body;
  const ours = tools.map(({ name, description, inputSchema }) => ({ name, description, input_schema: inputSchema }));
  return { ...body, tools: [...listOf(body['tools']), ...ours] };
}

export function nextRequest(body: Json, turn: FinishedTurn, results: readonly ToolResult[]): Json {
  const content = turn.calls.map(({ id }, index) => {
    const { content: parts = [], isError = true } = results[index] ?? {};
    return resultBlock(id, parts.map(block), isError);
  });
  const messages = [...listOf(body['messages']), turn.message, { role: 'user', content }];
  return relaxChoice({ ...body, messages });
}

function block(part: ToolContent): Json {
  if (part.kind === 'image') {
    return { type: 'image', source: { type: 'base64', media_type: part.mediaType, data: part.base64 } };
  }
  return { type: 'text', text: part.text === '' ? '(no output)' : part.text };
}

/** A choice that forces a call has had it; kept, the model could never end. */
function relaxChoice(body: Json): Json {
  const choice = membersOf(body['tool_choice']);
  if (choice['type'] !== 'any' && choice['type'] !== 'tool') return body;
  const { name: _name, ...rest } = choice;
  return { ...body, tool_choice: { ...rest, type: 'auto' } };
}
