/**
 * Tools that Anthropic defines and the client runs: the API has their schemas in the model, so that a request names them by type
 * alone. Told in words and schemas of their own, any model can call them, and the client runs them as it does for Anthropic.
 * https://platform.claude.com/docs/en/agents-and-tools/tool-use/bash-tool, /text-editor-tool, /memory-tool
 */
import type { JsonObject } from '../translator.ts';

/** What a function's definition needs beside its name. */
type ClientTool = { readonly description: string; readonly input_schema: JsonObject };

const PATH = { type: 'string', description: 'Path of the file or folder.' };
const OLD = {
  type: 'string',
  description: 'For str_replace: the text to replace. It must stand in the file exactly once.',
};
const NEW = { type: 'string', description: 'For str_replace: the text that takes its place; nothing when left out.' };
const FILE = { type: 'string', description: 'For create: the whole content of the file.' };
const LINE = { type: 'integer', description: 'For insert: the line behind which the text goes; 0 is the beginning.' };
const INSERTED = { type: 'string', description: 'For insert: the text to insert.' };
const RANGE = {
  type: 'array',
  items: { type: 'integer' },
  description: 'For view of a file: the first and the last line, counted from 1; -1 is the end.',
};

const BASH: ClientTool = {
  description:
    'Run a command in a bash shell that stays open: folder, variables and files outlast the call. It takes no input while a command runs.',
  input_schema: {
    type: 'object',
    properties: {
      command: { type: 'string', description: 'The command to run. Needed unless restart is true.' },
      restart: { type: 'boolean', description: 'True starts the shell anew.' },
    },
  },
};

const EDITOR = textEditor(['view', 'create', 'str_replace', 'insert']);
const UNDOING_EDITOR = textEditor(['view', 'create', 'str_replace', 'insert', 'undo_edit']);

const MEMORY: ClientTool = {
  description:
    'Keep notes that outlast this conversation, as files below /memories. View /memories before you begin, and write down what a later conversation needs.',
  input_schema: {
    type: 'object',
    properties: {
      command: command(['view', 'create', 'str_replace', 'insert', 'delete', 'rename']),
      path: { ...PATH, description: 'Path below /memories; for all commands but rename.' },
      view_range: RANGE,
      file_text: FILE,
      old_str: OLD,
      new_str: NEW,
      insert_line: LINE,
      insert_text: INSERTED,
      old_path: { type: 'string', description: 'For rename: the path until now.' },
      new_path: { type: 'string', description: 'For rename: the path from now on.' },
    },
    required: ['command'],
  },
};

/** By the type that a request names them by. Later versions may take other inputs: they are told when they are known. */
export const CLIENT_TOOLS: ReadonlyMap<string, ClientTool> = new Map([
  ['bash_20241022', BASH],
  ['bash_20250124', BASH],
  ['text_editor_20241022', UNDOING_EDITOR],
  ['text_editor_20250124', UNDOING_EDITOR],
  ['text_editor_20250429', EDITOR],
  ['text_editor_20250728', EDITOR],
  ['memory_20250818', MEMORY],
]);

function textEditor(commands: readonly string[]): ClientTool {
  return {
    description:
      'View, create and edit text files. view shows a file with line numbers, or what a folder holds; view a file before you edit it.',
    input_schema: {
      type: 'object',
      properties: {
        command: command(commands),
        path: PATH,
        view_range: RANGE,
        file_text: FILE,
        old_str: OLD,
        new_str: NEW,
        insert_line: LINE,
        insert_text: INSERTED,
      },
      required: ['command', 'path'],
    },
  };
}

function command(names: readonly string[]): JsonObject {
  return { type: 'string', enum: names, description: 'What to do.' };
}
