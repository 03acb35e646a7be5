/** The tools of one route: every source's, one list in a stable order, each name once. Lives as long as the route's tool loop stays the same. */
import { type CompiledToolLoop, workspaceToolName } from '#contract/compiled-tool-loop.ts';
import type { Logger } from '../log/logger.ts';
import { type CheckedTool, checkTool } from './checked-tool.ts';
import { httpTool } from './http-tool.ts';
import { type McpServices, McpSource } from './mcp-source.ts';
import type { Tool, ToolSource } from './tool.ts';
import { workspaceTools } from './workspace/tools.ts';

/** Longest wait for a list of tools before a request goes on with what is known. */
const LIST_TIMEOUT_MS = 10_000;

export class Toolbox {
  readonly #sources: readonly ToolSource[];
  readonly #logger: Logger;
  /** By the tool itself, as sources give the same objects while their list stays the same. */
  readonly #checked = new WeakMap<Tool, Promise<CheckedTool | undefined>>();

  readonly #warned = new Set<string>();

  constructor(sources: readonly ToolSource[], logger: Logger) {
    this.#sources = sources;
    this.#logger = logger;
  }

  /**
   * By name, in the order of the sources. A source that cannot be asked has said so, and is left out: the model does without its tools.
   * @throws the signal's reason
   */
  async tools(signal: AbortSignal): Promise<ReadonlyMap<string, CheckedTool>> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LIST_TIMEOUT_MS)]);
    const lists = await Promise.all(this.#sources.map((source) => this.#list(source, limit)));
    signal.throwIfAborted();
    const byName = new Map<string, CheckedTool>();
    for (const tool of lists.flat()) {
      if (byName.has(tool.name)) {
        this.#warnOnce(tool.name);
        continue;
      }
      const checked = await this.#check(tool);
      if (checked) byName.set(tool.name, checked);
    }
    return byName;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#sources.map((source) => source.close()));
  }

  async #list(source: ToolSource, signal: AbortSignal): Promise<readonly Tool[]> {
    try {
      return await source.tools(signal);
    } catch {
      return [];
    }
  }

  #warnOnce(tool: string): void {
    if (this.#warned.has(tool)) return;
    this.#warned.add(tool);
    this.#logger.warn('Tool left out: another source of the route has one of that name', { tool });
  }

  #check(tool: Tool): Promise<CheckedTool | undefined> {
    const known = this.#checked.get(tool);
    if (known) return known;
    const checked = checkTool(tool).catch((error: unknown) => {
      const problem = error instanceof Error ? error.message : String(error);
      this.#logger.warn('Tool left out: its schema cannot be used', { tool: tool.name, problem });
      return undefined;
    });
    this.#checked.set(tool, checked);
    return checked;
  }
}

/** @param secrets file name → bare credential */
export function openToolbox(
  loop: CompiledToolLoop,
  secrets: ReadonlyMap<string, string>,
  services: McpServices,
): Toolbox {
  const { workspace, maxResultBytes } = loop;
  const fixed: Tool[] = [
    ...(workspace ? workspaceTools(workspace, workspaceToolName) : []),
    ...loop.http.map((config) => httpTool(config, secrets, maxResultBytes)),
  ];
  const sources = loop.mcpServers.map((server) => new McpSource(server, secrets, services));
  return new Toolbox([fixedSource(fixed), ...sources], services.logger);
}

function fixedSource(tools: readonly Tool[]): ToolSource {
  return { tools: () => Promise.resolve(tools), close: () => Promise.resolve() };
}
