/** A tool whose schema was compiled: only arguments that fit reach it. */
import { type ArgumentReader, argumentReader } from './arguments.ts';
import type { Tool } from './tool.ts';

export interface CheckedTool extends Tool {
  readonly readArguments: ArgumentReader;
}

/** @throws Error when the tool's schema cannot be used */
export async function checkTool(tool: Tool): Promise<CheckedTool> {
  const { name, description, inputSchema } = tool;
  const readArguments = await argumentReader(inputSchema);
  return { name, description, inputSchema, readArguments, call: (args, signal) => tool.call(args, signal) };
}
