/** What a tool is for the loop, wherever it is executed; and what is known of one call. */

export type Json = Readonly<Record<string, unknown>>;

export type ToolContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image'; readonly mediaType: string; readonly base64: string };

export interface ToolResult {
  readonly content: readonly ToolContent[];
  /** The model is told that the call failed. */
  readonly isError: boolean;
}

export interface Tool {
  /** By which the model calls it: letters, digits, `_` and `-`. */
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly inputSchema: Json;
  /**
   * @param args fit the schema
   * @throws Error whose message may be shown to the model: no secret, no address
   */
  call(args: Json, signal: AbortSignal): Promise<ToolResult>;
}

/** Where tools come from. */
export interface ToolSource {
  /** In a stable order, so that the provider's prompt cache holds. @throws when the source cannot be asked */
  tools(signal: AbortSignal): Promise<readonly Tool[]>;
  close(): Promise<void>;
}

/** One call as the model asked for it. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** As the model wrote them; may be no JSON. */
  readonly argumentsText: string;
}

export type CallOutcome =
  | 'ok'
  /** The tool itself said that it failed. */
  | 'tool_error'
  /** It could not be reached, or broke. */
  | 'failed'
  | 'timeout'
  | 'invalid_arguments'
  | 'unknown_tool'
  /** The client left, we stopped, or the loop ran out of time. */
  | 'cancelled';

/** One call that is over, for the record. Times are `performance.now()` milliseconds. */
export interface ToolCallReport {
  /** Model turn that asked for it, from 1. */
  readonly round: number;
  readonly tool: string;
  readonly outcome: CallOutcome;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly argumentsText: string;
  /** Of the result as the model gets it: its text and images, one after the other. */
  readonly resultSha256: string;
  readonly resultBytes: number;
}

export function textResult(text: string, isError = false): ToolResult {
  return { content: [{ kind: 'text', text }], isError };
}

/** A JSON object's members, or none when the value is something else. */
export function membersOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
