/** Tools of one MCP server, over streamable HTTP: its list is cached and asked for again when it is old or said to have changed. */
import type { McpServer } from '#contract/compiled-tool-loop.ts';
import type { Logger } from '../log/logger.ts';
import { globMatches } from '../route/match.ts';
import { CONNECT_TIMEOUT_MS, isProtocolError, isSessionLost, McpConnection } from './mcp-connection.ts';
import { type McpFailureKind, mcpFailure } from './mcp-failure.ts';
import { mcpResult } from './mcp-result.ts';
import { type Json, membersOf, type Tool, type ToolResult, type ToolSource } from './tool.ts';

/** After a server could not be asked, what is known of it serves for so long. */
const RETRY_MS = 5_000;
/** Calls have limits of their own; the client's would be a second one. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;
/** What both dialects allow in a tool's name. */
const FOREIGN_CHARACTERS = /[^a-zA-Z0-9_-]/g;
const MOST_NAME_CHARACTERS = 64;

export interface McpMeters {
  /** A server could not be asked for its list of tools. */
  toolListFailed(server: string, reason: McpFailureKind): void;
}

export interface McpServices {
  readonly logger: Logger;
  readonly meters: McpMeters;
}

export class McpSource implements ToolSource {
  readonly #server: McpServer;
  readonly #connection: McpConnection;
  readonly #logger: Logger;
  readonly #meters: McpMeters;
  /** What the log was last told: each word of an outage once. */
  #told: string | undefined;
  #tools: readonly Tool[] | undefined;
  #staleAtMs = 0;
  #failure: Error | undefined;
  #refreshing: Promise<readonly Tool[]> | undefined;

  constructor(server: McpServer, secrets: ReadonlyMap<string, string>, { logger, meters }: McpServices) {
    this.#server = server;
    this.#logger = logger;
    this.#meters = meters;
    this.#connection = new McpConnection(server, secrets, () => {
      this.#staleAtMs = 0;
    });
  }

  /** @throws when the server cannot be asked and never could, or the signal's reason */
  async tools(signal: AbortSignal): Promise<readonly Tool[]> {
    if (performance.now() < this.#staleAtMs) {
      if (this.#tools !== undefined) return this.#tools;
      // A server that does not answer costs one exchange in a while its time, and not each.
      if (this.#failure !== undefined) throw this.#failure;
    }
    // Shared by all exchanges that wait for it, so that none of them may abort it.
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([this.#refreshing, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #refresh(): Promise<readonly Tool[]> {
    const { name, refreshMs } = this.#server;
    const limit = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
    try {
      const { tools } = await this.#connection.use(
        (client) => client.listTools(undefined, { timeout: CONNECT_TIMEOUT_MS, cacheMode: 'refresh' }),
        limit,
      );
      // Sorted, as not every server keeps an order, and the provider's prompt cache wants one.
      const allowed = tools.filter((tool) => this.#allows(tool.name)).sort((a, b) => (a.name < b.name ? -1 : 1));
      this.#tools = allowed.map((tool) => this.#tool(tool));
      this.#staleAtMs = performance.now() + refreshMs;
      if (this.#told !== undefined) this.#logger.info('MCP server can be asked again', { server: name });
      this.#told = undefined;
      return this.#tools;
    } catch (error) {
      this.#staleAtMs = performance.now() + RETRY_MS;
      const reason = this.#tellFailure(error);
      if (this.#tools !== undefined) return this.#tools;
      this.#failure = new Error(`MCP server "${name}" cannot be asked: ${reason}`, { cause: error });
      throw this.#failure;
    }
  }

  /** @returns why */
  #tellFailure(error: unknown): string {
    const { name, url } = this.#server;
    const { kind, reason, wayOut } = mcpFailure(error);
    this.#meters.toolListFailed(name, kind);
    if (this.#told === reason) return reason;
    this.#told = reason;
    const instead = this.#tools === undefined ? 'models do without its tools' : 'the list of before serves';
    // The rest of a url may hold a key.
    const facts = { server: name, origin: new URL(url).origin, reason, wayOut };
    this.#logger.warn(`MCP server cannot be asked for its tools; ${instead}`, facts);
    return reason;
  }

  #allows(toolName: string): boolean {
    return this.#server.allow.some((pattern) => globMatches(pattern, toolName));
  }

  #tool(tool: { name: string; description?: string | undefined; inputSchema: unknown }): Tool {
    const { name, description = name, inputSchema } = tool;
    return {
      name: name.replaceAll(FOREIGN_CHARACTERS, '_').slice(0, MOST_NAME_CHARACTERS),
      description,
      inputSchema: membersOf(inputSchema),
      call: (args, signal) => this.#call(name, args, signal),
    };
  }

  async #call(name: string, args: Json, signal: AbortSignal): Promise<ToolResult> {
    try {
      return await this.#callOnce(name, args, signal);
    } catch (error) {
      if (!isSessionLost(error) || signal.aborted) throw this.#asTold(error, signal);
    }
    try {
      // What was not executed may be called again, in a session of its own.
      return await this.#callOnce(name, args, signal);
    } catch (error) {
      throw this.#asTold(error, signal);
    }
  }

  async #callOnce(name: string, args: Json, signal: AbortSignal): Promise<ToolResult> {
    const options = { signal, timeout: NO_TIMEOUT_MS };
    const call = { name, arguments: args };
    return mcpResult(await this.#connection.use((client) => client.callTool(call, options), signal));
  }

  /** As the model may read it. */
  #asTold(error: unknown, signal: AbortSignal): Error {
    if (signal.aborted) return signal.reason as Error;
    const what = isProtocolError(error)
      ? `refused the call: ${error.message}`
      : `cannot be reached: ${mcpFailure(error).reason}`;
    return new Error(`The tool's server "${this.#server.name}" ${what}`, { cause: error });
  }
}
