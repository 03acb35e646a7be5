/** Puts the tables of the committed raw results between the markers of docs/performance.md: `node test/bench/tables.ts`. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './folders.ts';
import { renderTable } from './render.ts';
import type { Machine, Results } from './results.ts';

export const DOCUMENT = join(ROOT, 'docs/performance.md');
const RAW = join(ROOT, 'docs/performance');
const SECTION = /<!-- bench:([a-z0-9-]+) -->\n[\s\S]*?<!-- \/bench -->/g;

/** The committed raw results, by scenario. */
export async function readResults(): Promise<Map<string, Results>> {
  const files = (await readdir(RAW)).filter((name) => name.endsWith('.json'));
  const all = await Promise.all(
    files.map(async (file) => JSON.parse(await readFile(join(RAW, file), 'utf8')) as Results),
  );
  return new Map(all.map((results) => [results.scenario, results]));
}

/** @returns the document with every section regenerated; one without raw results says so */
export function fillSections(document: string, results: ReadonlyMap<string, Results>): string {
  return document.replace(SECTION, (_whole, name: string) => {
    const own = results.get(name);
    const text = own
      ? `${renderTable(own)}\n\n${renderMachine(own.machine)}`
      : `Not measured yet: \`npm run bench -- ${name}\`.`;
    return `<!-- bench:${name} -->\n${text}\n<!-- /bench -->`;
  });
}

/** Names of the sections that a document has. */
export function sectionNames(document: string): string[] {
  return [...document.matchAll(SECTION)].map(([, name]) => name ?? '');
}

function renderMachine(machine: Machine): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const day = machine.measuredAt.slice(0, 10);
  return `<sub>${day}, commit ${machine.commit}, ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}; ${versions.join(', ')}; \`${machine.command}\`; priority ${machine.priority}.</sub>`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const document = await readFile(DOCUMENT, 'utf8');
  await writeFile(DOCUMENT, fillSections(document, await readResults()));
}
