/** The built-in tools: list, read and write files of one directory. */
import { isUtf8 } from 'node:buffer';
import type { Workspace, WorkspaceTool } from '#contract/compiled-tool-loop.ts';
import { cutAtCharacter } from '../../log/body.ts';
import { type Json, type Tool, type ToolResult, textResult } from '../tool.ts';
import { listConfined, readConfined, WorkspaceError, writeConfined } from './confined.ts';

const MOST_ENTRIES = 1000;

interface Definition {
  readonly description: string;
  readonly properties: Json;
  readonly required: readonly string[];
  readonly call: (args: Json, workspace: Workspace) => Promise<ToolResult>;
}

const PATH = {
  type: 'string',
  maxLength: 1024,
  description: 'Relative path inside the workspace, for example notes/plan.md',
};

const DEFINITIONS: Readonly<Record<WorkspaceTool, Definition>> = {
  list: {
    description: 'Lists the entries of a folder of the workspace. Folders end in "/". Without a path it lists the top.',
    properties: { path: PATH },
    required: [],
    call: list,
  },
  read: {
    description:
      'Reads a text file of the workspace. A long file comes in parts: ask again with the offset that the result names.',
    properties: {
      path: PATH,
      offset: { type: 'integer', minimum: 0, description: 'Byte to begin at; 0 when left out' },
    },
    required: ['path'],
    call: read,
  },
  write: {
    description:
      'Writes a text file of the workspace: a new one, or all of an existing one anew. Missing folders are made.',
    properties: { path: PATH, content: { type: 'string', description: 'The whole new content' } },
    required: ['path', 'content'],
    call: write,
  },
};

/** @param nameOf how models call each tool */
export function workspaceTools(workspace: Workspace, nameOf: (tool: WorkspaceTool) => string): Tool[] {
  return workspace.allow.map((tool) => {
    const { description, properties, required, call } = DEFINITIONS[tool];
    return {
      name: nameOf(tool),
      description,
      inputSchema: { type: 'object', properties, required, additionalProperties: false },
      call: (args) => call(args, workspace).catch(refusal),
    };
  });
}

async function list(args: Json, { directory }: Workspace): Promise<ToolResult> {
  const entries = await listConfined(directory, typeof args['path'] === 'string' ? args['path'] : '');
  const lines = entries.slice(0, MOST_ENTRIES).map(({ name, kind }) => {
    if (kind === 'folder') return `${name}/`;
    return kind === 'file' ? name : `${name} (${kind}, not readable)`;
  });
  if (entries.length > MOST_ENTRIES) lines.push(`… and ${entries.length - MOST_ENTRIES} more`);
  return textResult(lines.length === 0 ? '(empty)' : lines.join('\n'));
}

async function read(args: Json, { directory, maxFileBytes }: Workspace): Promise<ToolResult> {
  const path = String(args['path']);
  const offset = Number(args['offset'] ?? 0);
  const { bytes, size } = await readConfined(directory, path, { offset, maxBytes: maxFileBytes });
  const text = cutAtCharacter(bytes);
  if (!isUtf8(text)) return textResult(`"${path}" is no text file`, true);
  const next = offset + text.length;
  const more = next < size ? `\n[${size - next} more bytes: read on with offset ${next}]` : '';
  return textResult(`${text.toString('utf8')}${more}`);
}

async function write(args: Json, { directory, maxFileBytes }: Workspace): Promise<ToolResult> {
  const path = String(args['path']);
  const bytes = Buffer.from(String(args['content']));
  if (bytes.length > maxFileBytes) {
    return textResult(`The content has ${bytes.length} bytes; at most ${maxFileBytes} may be written`, true);
  }
  await writeConfined(directory, path, bytes);
  return textResult(`Wrote ${bytes.length} bytes to "${path}"`);
}

function refusal(error: unknown): ToolResult {
  if (error instanceof WorkspaceError) return textResult(error.message, true);
  throw error;
}
