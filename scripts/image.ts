/** `npm run image [-- --out FILE --name NAME --tag TAG]`: builds the image of the operator and the proxy as a tar. */
import { stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { buildImage } from './image/build-image.ts';

const { values } = parseArgs({
  options: { out: { type: 'string' }, name: { type: 'string' }, tag: { type: 'string' } },
});

const { out, name, tag } = values;
const built = await buildImage({
  ...(out !== undefined && { out }),
  ...(name !== undefined && { name }),
  ...(tag !== undefined && { tag }),
  log: (line) => console.log(line),
});
console.log(`${built.reference}\n${built.digest}`);
console.log(
  `${(built.compressedBytes / 1e6).toFixed(1)} MB compressed; ${built.tarPath}, ${(await stat(built.tarPath)).size} bytes`,
);
