/** `node scripts/image/write-bundle.ts FOLDER`: writes the product's bundle, for the Dockerfile. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, PRODUCT_ENTRIES, PRODUCT_WORKERS } from './bundle.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Cannot write the bundle: name a folder, as in "node scripts/image/write-bundle.ts /app"');
  process.exit(64);
}

await mkdir(folder, { recursive: true });
for (const { name, content } of await bundle(join(import.meta.dirname, '../..'), PRODUCT_ENTRIES, PRODUCT_WORKERS)) {
  await writeFile(join(folder, name), content);
}
