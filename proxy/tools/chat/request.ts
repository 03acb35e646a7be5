/** Requests of Chat Completions in a tool loop: our tools added, our results appended. */
import { ProxyError } from '../../errors.ts';
import type { CheckedTool } from '../checked-tool.ts';
import type { FinishedTurn } from '../dialect.ts';
import { type Json, listOf, membersOf, type ToolContent, type ToolResult } from '../tool.ts';

export function clientTools(body: Json): ReadonlySet<string> {
  const tools = listOf(body['tools']).map((tool) => {
    const { function: called, custom } = membersOf(tool);
    return membersOf(called ?? custom)['name'];
  });
  const functions = listOf(body['functions']).map((called) => membersOf(called)['name']);
  return new Set([...tools, ...functions].filter((name) => typeof name === 'string'));
}

export function forbidsTools(body: Json): boolean {
  return body['tool_choice'] === 'none';
}

/** @throws ProxyError bad_request: several answers to one request cannot each have a loop of their own */
export function withTools(
  body: Json,
  tools: readonly CheckedTool[],
  { countTokens }: { readonly countTokens: boolean },
): Json {
  if (tools.length === 0) return body;
  if (typeof body['n'] === 'number' && body['n'] > 1) {
    throw new ProxyError('bad_request', 'Ask for one choice ("n": 1): this route runs tools, for one choice at a time');
  }
  const ours = tools.map(({ name, description, inputSchema }) => ({
    type: 'function',
    function: { name, description, parameters: inputSchema },
  }));
  const counted = countTokens && body['stream'] === true;
  const streamOptions = { ...membersOf(body['stream_options']), include_usage: true };
  return {
    ...body,
    ...(counted && { stream_options: streamOptions }),
    tools: [...listOf(body['tools']), ...ours],
  };
}

export function nextRequest(body: Json, turn: FinishedTurn, results: readonly ToolResult[]): Json {
  const answers = turn.calls.map(({ id }, index) => ({
    role: 'tool',
    tool_call_id: id,
    content: textOf(results[index]),
  }));
  return relaxChoice({ ...body, messages: [...listOf(body['messages']), turn.message, ...answers] });
}

/** A tool's message is text here, and has no mark for errors. */
function textOf(result: ToolResult | undefined): string {
  const { content = [], isError = true } = result ?? {};
  const text = content.map(partText).join('\n');
  return isError ? `Error: ${text}` : text;
}

function partText(part: ToolContent): string {
  return part.kind === 'text' ? part.text : `[image left out: ${part.mediaType}]`;
}

/** A choice that forces a call has had it; kept, the model could never end. */
function relaxChoice(body: Json): Json {
  const choice = body['tool_choice'];
  const forced = choice === 'required' || membersOf(choice)['type'] === 'function';
  return forced ? { ...body, tool_choice: 'auto' } : body;
}
