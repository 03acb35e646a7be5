/** The toolboxes in use, one for each distinct tool loop and its credentials: sessions with MCP servers outlive exchanges. */
import { hash } from 'node:crypto';
import type { CompiledToolLoop } from '#contract/compiled-tool-loop.ts';
import type { McpServices } from './mcp-source.ts';
import { openToolbox, type Toolbox } from './toolbox.ts';

export class Toolboxes {
  readonly #services: McpServices;
  readonly #open = new Map<string, Toolbox>();

  constructor(services: McpServices) {
    this.#services = services;
  }

  /** @param secrets file name → bare credential */
  get(loop: CompiledToolLoop, secrets: ReadonlyMap<string, string>): Toolbox {
    const key = keyOf(loop, secrets);
    const toolbox = this.#open.get(key) ?? openToolbox(loop, secrets, this.#services);
    this.#open.set(key, toolbox);
    return toolbox;
  }

  /**
   * Closes what the config in force no longer has. Exchanges under way keep their tools: calls end in their own time, and one that
   * still comes is made in a session of its own.
   */
  async retain(loops: readonly (CompiledToolLoop | undefined)[], secrets: ReadonlyMap<string, string>): Promise<void> {
    const keys = new Set(loops.flatMap((loop) => (loop ? [keyOf(loop, secrets)] : [])));
    const gone = [...this.#open].filter(([key]) => !keys.has(key));
    for (const [key] of gone) this.#open.delete(key);
    await Promise.all(gone.map(([, toolbox]) => toolbox.close()));
  }

  async close(): Promise<void> {
    await this.retain([], new Map());
  }
}

function keyOf(loop: CompiledToolLoop, secrets: ReadonlyMap<string, string>): string {
  const values = [...loop.mcpServers, ...loop.http].map(({ credential }) => credential && secrets.get(credential.file));
  return hash('sha256', JSON.stringify([loop, values]));
}
