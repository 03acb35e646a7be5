/** What the loop needs of a dialect: pure functions on requests, and state machines over one client answer. */
import type { CheckedTool } from './checked-tool.ts';
import type { Json, ToolCall, ToolResult } from './tool.ts';

/** One turn of the model, read to its end. */
export interface FinishedTurn {
  /** For the loop to execute, in the model's order: calls of our tools, and of tools that nobody has. */
  readonly calls: readonly ToolCall[];
  /** Calls of the client's own tools. */
  readonly clientCalls: number;
  /** False when the turn was cut short (token limit, refusal): calls in it may be half ones and are not executed. */
  readonly settled: boolean;
  /** The assistant's message for the next request, whole. */
  readonly message: Json;
  /** As the provider reported it. */
  readonly usage: Json | undefined;
}

/** One turn of a client that waits. */
export interface WholeTurn {
  /** As the model gave it. */
  readonly answer: Json;
  /** Calls and results to show in its place; empty: they stay hidden, or none were executed. */
  readonly shown: readonly { readonly call: ToolCall; readonly result: ToolResult }[];
}

export interface SseEvent {
  /** Empty when it has none. */
  readonly name: string;
  readonly data: string;
}

/** Which calls are ours. */
export type IsOurs = (toolName: string) => boolean;

/** The one answer that the client sees while the model takes several turns. Returned text is what the client gets at once. */
export interface LoopStream {
  /** The next event of the model's turn. @throws Error when it is not of this dialect */
  event(event: SseEvent): string;
  /** @returns undefined when the stream of the turn ended without its terminal event */
  endTurn(): FinishedTurn | undefined;
  /** Whether the turn brought an error event; the client has it. */
  readonly failed: boolean;
  /** Calls that are about to be executed, and results, where the route shows them; empty where the dialect has no form for it. */
  calls(calls: readonly ToolCall[]): string;
  results(calls: readonly ToolCall[], results: readonly ToolResult[]): string;
  /** Content of our own between two turns, or right after the answer's opening. */
  progress(text: string): string;
  /** The end of the answer, as the last turn ended, with the usage of all. */
  finish(): string;
}

export interface LoopStreamOptions {
  readonly isOurs: IsOurs;
  readonly progress: 'none' | 'text' | 'thinking';
  /** Progress that follows the answer's opening; empty: none. */
  readonly opening: string;
  /** The client's request. */
  readonly body: Json;
}

export interface LoopDialect {
  /** The conversation as the model had it, of what the client made of shown calls. */
  restore(body: Json): Json;
  /** Names of the tools that are the client's own. */
  clientTools(body: Json): ReadonlySet<string>;
  /** Whether the request wants no tool called. */
  forbidsTools(body: Json): boolean;
  /** The request with our tools behind the client's. */
  withTools(body: Json, tools: readonly CheckedTool[], options: { readonly countTokens: boolean }): Json;
  /** The request after a turn whose calls were executed. */
  nextRequest(body: Json, turn: FinishedTurn, results: readonly ToolResult[]): Json;
  openStream(options: LoopStreamOptions): LoopStream;
  /** A whole answer. @throws Error when it is not of this dialect */
  readAnswer(answer: Json, isOurs: IsOurs): FinishedTurn;
  /** One answer of those of several turns, without our calls. */
  assemble(turns: readonly WholeTurn[], isOurs: IsOurs): Json;
  /** Tokens of a turn, input and output, cached or not. */
  tokens(usage: Json | undefined): number;
  /** An error event. @param body as JSON text */
  errorEvent(body: string): string;
  /** Bytes that say that we are alive, and nothing else. */
  readonly keepAlive: string;
}

export function sseText(data: string, name?: string): string {
  return `${name === undefined || name === '' ? '' : `event: ${name}\n`}data: ${data.replaceAll('\n', '\ndata: ')}\n\n`;
}
