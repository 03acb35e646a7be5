/** spec.routes[].toolLoop and .pacing -> their compiled forms. */
import type { CompiledPacing, CompiledToolLoop, ToolCredential } from '../compiled-tool-loop.ts';
import type { StreamProxy } from '../resources.ts';
import { parseBytes, parseDurationMs } from '../units.ts';
import { credentialFile } from './credential-file.ts';

type Route = StreamProxy['spec']['routes'][number];
type ToolLoop = NonNullable<Route['toolLoop']>;
type Secret = NonNullable<NonNullable<ToolLoop['http']>[number]['secret']>;

/** Findings have shown before that everything which is named is there. */
export function compileToolLoop(loop: ToolLoop): CompiledToolLoop {
  const { workspace, maxTokens } = loop;
  return {
    mcpServers: (loop.mcpServers ?? []).map(({ name, url, allow, refresh, secret }) => ({
      name,
      url,
      allow,
      refreshMs: durationMs(refresh ?? '5m', 300_000),
      ...(secret && { credential: compileCredential(secret) }),
    })),
    http: (loop.http ?? []).map(({ name, description, url, inputSchema, secret }) => ({
      name,
      description,
      url,
      inputSchema: inputSchema ?? { type: 'object' },
      ...(secret && { credential: compileCredential(secret) }),
    })),
    ...(workspace && {
      workspace: {
        directory: workspace.directory,
        allow: workspace.allow ?? ['list', 'read'],
        maxFileBytes: parseBytes(workspace.maxFileBytes ?? '256Ki') ?? 256 * 1024,
      },
    }),
    progress: loop.progress ?? 'none',
    calls: loop.calls ?? 'hidden',
    maxRounds: loop.maxRounds ?? 15,
    maxParallel: loop.maxParallel ?? 4,
    callTimeoutMs: durationMs(loop.callTimeout ?? '60s', 60_000),
    maxDurationMs: durationMs(loop.maxDuration ?? '10m', 600_000),
    ...(maxTokens !== undefined && { maxTokens }),
    maxResultBytes: parseBytes(loop.maxResultBytes ?? '256Ki') ?? 256 * 1024,
  };
}

function compileCredential(secret: Secret): ToolCredential {
  const header = (secret.header ?? 'authorization').toLowerCase();
  return { file: credentialFile(secret), header, scheme: header === 'authorization' ? 'bearer' : 'bare' };
}

export function compilePacing({ wordDelay, maxLag, nativePaths }: NonNullable<Route['pacing']>): CompiledPacing {
  const { minMs, maxMs } = readWordDelay(wordDelay);
  return { minMs, maxMs, maxLagMs: durationMs(maxLag ?? '2s', 2000), nativePaths: nativePaths ?? false };
}

/** `10ms-50ms` → its two ends; the CRD's pattern allows no other form. */
export function readWordDelay(text: string): { minMs: number; maxMs: number } {
  const [min = '', max = ''] = text.split('-');
  return { minMs: durationMs(min, 0), maxMs: durationMs(max, 0) };
}

/** Longer ones than a timer can take are as good as none. */
function durationMs(text: string, fallbackMs: number): number {
  return Math.min(parseDurationMs(text) ?? fallbackMs, 2 ** 31 - 1);
}
