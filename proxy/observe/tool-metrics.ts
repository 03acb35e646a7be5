/** The tool loop's own metrics. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { McpMeters } from '../tools/mcp-source.ts';
import type { ToolLoopMeters } from '../tools/rounds.ts';
import { ROUND_BUCKETS, TOOL_BUCKETS } from './buckets.ts';
import { BoundedLabel } from './labels.ts';

/** Tools that get a label of their own: servers name them, and may name many. */
const TOOL_LIMIT = 200;
/** Servers that get one: a resource may have thousands of routes, and changes. */
const SERVER_LIMIT = 100;

export function toolMetrics(registry: Registry): ToolLoopMeters & McpMeters {
  const registers = [registry];
  const names = new BoundedLabel(TOOL_LIMIT);
  const calls = new Counter({
    name: 'sluice_tool_calls_total',
    help: 'Calls of tools that the sidecar runs, by outcome; the tool is none where the model called one that nobody has.',
    labelNames: ['tool', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'sluice_tool_seconds',
    help: 'Seconds that one call of a tool took, however it ended.',
    labelNames: ['tool'],
    buckets: TOOL_BUCKETS,
    registers,
  });
  const rounds = new Histogram({
    name: 'sluice_tool_loop_rounds',
    help: 'Turns of the model in one exchange of a tool loop, by how the loop ended: answered, client_tools, a cap (rounds, duration, tokens, budget), upstream or cancelled.',
    labelNames: ['end'],
    buckets: ROUND_BUCKETS,
    registers,
  });
  const shadowed = new Counter({
    name: 'sluice_tools_shadowed_total',
    help: 'Tools that were not offered to the model in an exchange, because the client has one of the same name.',
    labelNames: ['tool'],
    registers,
  });
  const servers = new BoundedLabel(SERVER_LIMIT);
  const unlisted = new Counter({
    name: 'sluice_tool_list_failures_total',
    help: 'Times that an MCP server could not be asked for its list of tools, by reason: unreachable, timeout, refused (an HTTP status from 400 on) or no_mcp.',
    labelNames: ['server', 'reason'],
    registers,
  });
  return {
    toolListFailed: (server, reason) => unlisted.inc({ server: servers.value(server), reason }),
    toolCalled(tool, outcome, ms) {
      calls.inc({ tool: names.value(tool), outcome });
      seconds.observe({ tool: names.value(tool) }, ms / 1000);
    },
    toolShadowed: (tool) => shadowed.inc({ tool: names.value(tool) }),
    toolLoopEnded: (end, turns) => rounds.observe({ end }, turns),
  };
}
