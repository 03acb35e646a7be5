/** What an MCP server answered to a call, as the model can read it. */
import { type Json, listOf, membersOf, type ToolContent, type ToolResult } from './tool.ts';

const IMAGE_TYPE = /^image\/(?:png|jpeg|gif|webp)$/;

export function mcpResult(answer: Json): ToolResult {
  const parts = listOf(answer['content']).map((part) => content(membersOf(part)));
  const structured = answer['structuredContent'];
  if (parts.length === 0 && structured !== undefined) parts.push({ kind: 'text', text: JSON.stringify(structured) });
  return { content: parts, isError: answer['isError'] === true };
}

function content(part: Json): ToolContent {
  const { type, text, data, mimeType } = part;
  switch (type) {
    case 'text':
      return { kind: 'text', text: String(text) };
    case 'image':
      if (IMAGE_TYPE.test(String(mimeType)))
        return { kind: 'image', mediaType: String(mimeType), base64: String(data) };
      return leftOut('image', mimeType);
    case 'resource':
      return resource(membersOf(part['resource']));
    case 'resource_link':
      return { kind: 'text', text: `${String(part['name'])}: ${String(part['uri'])}` };
    default:
      return leftOut(String(type), mimeType);
  }
}

function resource({ text, uri, mimeType }: Json): ToolContent {
  if (typeof text === 'string') return { kind: 'text', text };
  return leftOut(`resource ${String(uri)}`, mimeType);
}

function leftOut(what: string, mimeType: unknown): ToolContent {
  return { kind: 'text', text: `[${what} left out: ${String(mimeType)} cannot be given to a model]` };
}
