/** Sluice, from its sources and as the bundle that the image carries, and the least relay on the same two libraries. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, MAIN_FILE, PRODUCT_ENTRIES, PRODUCT_WORKERS } from '../../../scripts/image/bundle.ts';
import { CACHE, ROOT } from '../folders.ts';
import { MAIN, sluiceCommand, usualSpec } from './sluice-command.ts';
import type { Subject } from './subject.ts';

/** Written anew before each measurement, with what the image would hold. */
const BUNDLE = join(CACHE, 'bench-bundle');
/** What Node runs of it, with its arguments. */
export const BUNDLED: readonly string[] = [join(BUNDLE, MAIN_FILE), 'proxy'];

export const undiciRelay: Subject = {
  name: 'undici-relay',
  prepare: async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'node_modules/undici/package.json'), 'utf8')) as {
      version: string;
    };
    return `undici ${version}`;
  },
  command: async ({ listenPort, upstreamPort }) => ({
    argv: [
      process.execPath,
      join(import.meta.dirname, '../relay.ts'),
      String(listenPort),
      `http://127.0.0.1:${upstreamPort}`,
    ],
  }),
};

/** Whether the sources are there. */
export async function prepareSources(log: (line: string) => void): Promise<string | undefined> {
  const there = await readFile(MAIN).then(
    () => true,
    () => false,
  );
  if (!there) log('Leaving out sluice: proxy/main.ts is not there');
  return there ? 'from sources' : undefined;
}

export const sluice: Subject = {
  name: 'sluice',
  prepare: prepareSources,
  command: (place) => sluiceCommand(place, usualSpec(place)),
};

/** Writes the bundle. */
export async function prepareBundle(log: (line: string) => void): Promise<string | undefined> {
  const failure = await writeBundle().catch((error: Error) => error);
  if (failure) log(`Leaving out the bundle: ${failure.message.split('\n')[0]}`);
  return failure ? undefined : 'as the image carries it';
}

export const sluiceBundle: Subject = {
  name: 'sluice-bundle',
  prepare: prepareBundle,
  command: (place) => sluiceCommand(place, usualSpec(place), BUNDLED),
};

async function writeBundle(): Promise<void> {
  await mkdir(BUNDLE, { recursive: true });
  for (const { name, content } of await bundle(ROOT, PRODUCT_ENTRIES, PRODUCT_WORKERS)) {
    await writeFile(join(BUNDLE, name), content);
  }
}
