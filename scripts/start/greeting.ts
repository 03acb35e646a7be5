/** What a person reads when the proxy runs: addresses, where records go, what is in force. */
import { join } from 'node:path';
import type { CompiledConfig, CompiledTarget } from '#contract/compiled.ts';
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
  if (logging.targets.length === 0 && !logging.audit) {
    return ['  records      nowhere: spec.logging.targets is empty'];
  }
  const lines = logging.targets.map((target) => `  records      ${target.name}: ${whereTo(target, stateDirectory)}`);
  return logging.audit ? [...lines, '  search       /gateway/ on the address of the clients'] : lines;
}

function whereTo(target: CompiledTarget, stateDirectory: string): string {
  switch (target.kind) {
    case 'stdout':
      return 'standard output';
    case 'file':
      return join(stateDirectory, target.path);
    case 'invalid':
      return `${'spooled' in target ? 'the spool, until it is valid' : 'nothing'}: ${target.message}`;
    case 'http':
    case 'otlp':
      return target.url;
    case 'postgres':
      return `table ${target.table}`;
    case 'kafka':
      return `topic ${target.topic} at ${target.brokers.join(', ')}`;
    case 's3':
      return `bucket ${target.bucket} at ${target.endpoint}`;
  }
}
