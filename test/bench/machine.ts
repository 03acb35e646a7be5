/** On what the figures came about: processor, kernel, runtime, commit. */
import { readFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { ROOT, tryCommand } from './folders.ts';
import { mayRaise } from './processes.ts';
import type { Machine } from './results.ts';

/** @param versions of the subjects, by name */
export async function describeMachine(command: string, versions: Readonly<Record<string, string>>): Promise<Machine> {
  return {
    measuredAt: new Date().toISOString(),
    command,
    commit: await commit(),
    cpu: (await cpuModel()) ?? cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    kernel: release(),
    node: process.version,
    versions,
    priority: mayRaise ? 'raised' : 'plain',
  };
}

async function commit(): Promise<string> {
  const head = (await tryCommand(['git', '-C', ROOT, 'rev-parse', '--short=12', 'HEAD']))?.trim();
  const changes = (await tryCommand(['git', '-C', ROOT, 'status', '--porcelain', '--', 'proxy', 'contract']))?.trim();
  return `${head ?? 'none'}${changes ? '+' : ''}`;
}

async function cpuModel(): Promise<string | undefined> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  return /^model name\s*:\s*(.+)$/m.exec(text)?.[1];
}
