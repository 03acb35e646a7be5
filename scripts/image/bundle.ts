/** Entry points → bundled modules with a dispatcher that chooses one by the container's first argument. */

import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

/** Command names → paths of TypeScript entry points, relative to the repository. */
export type Entries = Readonly<Record<string, string>>;

/** The product's own commands. */
export const PRODUCT_ENTRIES: Entries = { operator: 'operator/main.ts', proxy: 'proxy/main.ts' };
/** Programs of worker threads, which are started by their file's name beside the bundle. */
export const PRODUCT_WORKERS: Entries = {
  'record-worker': 'proxy/log/making/worker.ts',
  'audit-worker': 'proxy/log/audit/worker.ts',
  'spool-worker': 'proxy/log/spool/worker.ts',
};

/** Files that the product reads beside the bundle, under these names. */
const PRODUCT_ASSETS: Readonly<Record<string, string>> = {
  'audit-page.html': 'proxy/admin/audit/page/page.html',
  'audit-page.css': 'proxy/admin/audit/page/page.css',
  'audit-elements.js': 'proxy/admin/audit/page/elements.js',
  'audit-timing.js': 'proxy/admin/audit/page/timing.js',
  'audit-page.js': 'proxy/admin/audit/page/page.js',
};

export interface BundledFile {
  /** File name, without folders. */
  readonly name: string;
  readonly content: Buffer;
}

/** Folder of the image that holds the bundle. */
export const APP_FOLDER = '/app';
export const MAIN_FILE = 'main.mjs';
/**
 * How the image starts Node. A sidecar has about one core: V8's helper threads compete there with the thread that passes bytes
 * on, which made the slowest percent of events four times as late at 500 streams. By default the young generation grows to
 * three times 32 MiB, of which nothing is gained. The old one is collected whenever it has grown by a quarter, which costs a
 * twentieth of the processor time and pauses of 10 ms: it may double (docs/performance.md).
 */
export const NODE_FLAGS: readonly string[] = [
  '--single-threaded-gc',
  '--max-semi-space-size=16',
  '--heap-growing-percent=100',
];

/** CommonJS packages inside an ES module still ask for require. */
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** Bundles; what is imported lazily stays in chunks of its own. @param workers are no commands */
export async function bundle(root: string, entries: Entries, workers: Entries = {}): Promise<BundledFile[]> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: Object.entries({ ...entries, ...workers }).map(([out, path]) => ({ in: path, out })),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    outdir: 'out',
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunk-[hash]',
    banner: { js: REQUIRE },
    // The other build of it reads a file beside itself.
    alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
    // Names stay, as stack traces are read by people; everything that only costs bytes goes.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'eof',
    logLevel: 'error',
    write: false,
  });
  const files = result.outputFiles.map(({ path, contents }) => ({
    name: basename(path),
    content: Buffer.from(contents),
  }));
  const assets = 'proxy' in entries ? Object.entries(PRODUCT_ASSETS) : [];
  for (const [name, path] of assets) files.push({ name, content: await readFile(join(root, path)) });
  return [...files, { name: MAIN_FILE, content: Buffer.from(dispatcher(Object.keys(entries))) }];
}

/**
 * The first argument is taken away, so that a command sees its own arguments where it looks for them.
 * V8's compile cache was measured and left out: the proxy's bundle is ready after some 130 ms of processor time with it
 * and without it, and its bytes differ from build to build.
 */
function dispatcher(commands: readonly string[]): string {
  const list = commands.map((command) => `${JSON.stringify(command)}: () => import('./${command}.mjs')`).join(', ');
  return `const commands = new Map(Object.entries({ ${list} }));
const [command] = process.argv.splice(2, 1);
const load = commands.get(command);
if (load === undefined) {
  process.stderr.write(\`Cannot run "\${command ?? ''}": use one of \${[...commands.keys()].join(', ')}\\n\`);
  process.exitCode = 64;
} else {
  await load();
}
`;
}
