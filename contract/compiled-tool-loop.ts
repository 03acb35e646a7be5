/** The tool loop and pacing of a route as compiled: everything resolved, Secrets as names of files beside config.json. */

export interface CompiledToolLoop {
  readonly mcpServers: readonly McpServer[];
  readonly http: readonly HttpTool[];
  readonly workspace?: Workspace;
  /** What the client sees of the work between the model's turns. */
  readonly progress: ProgressMode;
  /** Whether clients of the Messages API see calls and results. */
  readonly calls: 'hidden' | 'shown';
  /** Most model turns of one exchange. */
  readonly maxRounds: number;
  /** Most calls that run at the same time. */
  readonly maxParallel: number;
  readonly callTimeoutMs: number;
  /** Longest time from the first turn's start to the last one's end. */
  readonly maxDurationMs: number;
  /** Most tokens of all turns together, input and output; absent: no limit. */
  readonly maxTokens?: number;
  /** Of one result this much reaches the model. */
  readonly maxResultBytes: number;
}

export const PROGRESS_MODES = ['none', 'text', 'thinking'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** A server of the Model Context Protocol, reached by streamable HTTP. */
export interface McpServer {
  readonly name: string;
  readonly url: string;
  /** Globs of the tools' names as the server gives them; * stands for any characters. */
  readonly allow: readonly string[];
  /** How long its list of tools is kept. */
  readonly refreshMs: number;
  readonly credential?: ToolCredential;
}

/** One tool behind one url: POST of name and arguments, the body of the answer is the result. */
export interface HttpTool {
  readonly name: string;
  readonly description: string;
  readonly url: string;
  /** JSON Schema of the arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly credential?: ToolCredential;
}

export interface ToolCredential {
  /** File beside config.json that holds the bare credential. */
  readonly file: string;
  /** Lower-case header name. */
  readonly header: string;
  readonly scheme: 'bearer' | 'bare';
}

export const WORKSPACE_TOOLS = ['list', 'read', 'write'] as const;
export type WorkspaceTool = (typeof WORKSPACE_TOOLS)[number];

/** Built-in tools that are confined to one directory. */
export interface Workspace {
  /** Absolute path in the sidecar's own file system. */
  readonly directory: string;
  readonly allow: readonly WorkspaceTool[];
  /** Longest file that is read or written. */
  readonly maxFileBytes: number;
}

/** The name by which the model calls a workspace tool. */
export function workspaceToolName(tool: WorkspaceTool): string {
  return `workspace_${tool}`;
}

export interface CompiledPacing {
  /** Bounds of the pause before a word, in milliseconds. */
  readonly minMs: number;
  readonly maxMs: number;
  /** No word leaves later than this after it came. */
  readonly maxLagMs: number;
  /** Also where client and upstream speak the same dialect and no tool loop runs. */
  readonly nativePaths: boolean;
}
