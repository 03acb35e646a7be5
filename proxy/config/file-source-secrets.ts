/** Secrets in file mode: a secret's key is the file DIR/<name>/<key>, as when a Secret is mounted. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Problem } from '#contract/finding.ts';
import type { SecretFacts, SecretLookup, SecretRef } from '#contract/secrets.ts';

export interface ReadSecrets {
  readonly lookup: SecretLookup;
  /** By `name/key`; only those that are there and not empty. Never logged. */
  readonly values: ReadonlyMap<string, string>;
  /** Files that are there and cannot be read. */
  readonly problems: readonly Problem[];
}

/**
 * Reads what the spec names, and nothing else.
 * @param directory undefined: there are no Secrets
 */
export async function readSecrets(directory: string | undefined, refs: readonly SecretRef[]): Promise<ReadSecrets> {
  const facts = new Map<string, { version: string; keys: Set<string> }>();
  const values = new Map<string, string>();
  const problems: Problem[] = [];
  if (directory === undefined) return { lookup: new Map(), values, problems };
  for (const ref of refs) {
    const path = secretFile(directory, ref);
    const before = facts.get(ref.name);
    if (!before && !(await isDirectory(join(path, '..')))) continue;
    const version = await fileVersion(path);
    const value = await readValue(path).catch((error: NodeJS.ErrnoException) => {
      problems.push({
        path,
        message: `Cannot read the credential (${error.code}); make it a file that this user may read`,
      });
      return '';
    });
    const keys = before?.keys ?? new Set<string>();
    if (value !== '') {
      keys.add(ref.key);
      values.set(`${ref.name}/${ref.key}`, value);
    }
    facts.set(ref.name, { keys, version: `${before?.version ?? ''}/${ref.key}:${version}` });
  }
  const lookup = new Map([...facts].map(([name, fact]): [string, SecretFacts] => [name, { exists: true, ...fact }]));
  return { lookup, values, problems };
}

export function secretFile(directory: string, ref: SecretRef): string {
  return join(directory, ref.name, ref.key);
}

/** Changes whenever the file's content does, and says nothing about it; `absent` when there is no file. */
export async function fileVersion(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found ? `${found.mtimeNs}-${found.ctimeNs}-${found.ino}-${found.size}` : 'absent';
}

/** One trailing newline is an editor's, not the key's. A file that is not there counts as empty. */
async function readValue(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
