/** What a person reads when the proxy runs: addresses, where records go, what is in force. */
import { join } from 'node:path';
import type { CompiledConfig } from '#contract/compiled.ts';
import type { FileRun } from './options.ts';
import type { Running } from './run-file.ts';

export function greeting({ listenUrl, metricsUrl, config }: Running, run: FileRun): string {
  const lines = [
    `Sluice runs "${config.name}", revision ${config.revision}.`,
    '',
    `  clients      ANTHROPIC_BASE_URL=${listenUrl}  OPENAI_BASE_URL=${listenUrl}/v1`,
    ...[...run.upstreamUrls].map(([name, url]) => `  upstream     ${name} is resolved to ${url} (--resolve-upstream)`),
    `  metrics      ${metricsUrl}/metrics`,
    ...recordLines(config, run.stateDirectory),
    `  file         ${run.file}, watched`,
    ...(run.secretsDirectory === undefined ? [] : [`  secrets      ${run.secretsDirectory}, watched`]),
    `  state        ${run.stateDirectory}`,
  ];
  return `${lines.join('\n')}\n`;
}

function recordLines({ logging }: CompiledConfig, stateDirectory: string): string[] {
  if (logging.targets.length === 0) return ['  records      nowhere: spec.logging.targets is empty'];
  return logging.targets.map((target) => {
    switch (target.kind) {
      case 'stdout':
        return `  records      ${target.name}: standard output`;
      case 'file':
        return `  records      ${target.name}: ${join(stateDirectory, target.path)}`;
      case 'invalid':
        return `  records      ${target.name}: nothing, ${target.message}`;
    }
    return '';
  });
}
