/** Ways to cut the same bytes into chunks, which must make no difference to what is read from them. */
import { eventEdges } from '../clients/recordings.ts';

/** Up to this size a stream is cut at every byte boundary; that is as many replays as it has bytes. */
const EVERY_CUT_BYTES = 8 * 1024;
const SEEDED_RUNS = 20;

/** @returns lists of chunks, made one at a time */
export function* chunkings(bytes: Buffer): Generator<readonly Buffer[]> {
  yield cutAt(
    bytes,
    Array.from({ length: Math.max(0, bytes.length - 1) }, (_, at) => at + 1),
  );
  yield cutAt(bytes, eventEdges(bytes));
  if (bytes.length <= EVERY_CUT_BYTES) for (let at = 1; at < bytes.length; at++) yield cutAt(bytes, [at]);
  for (let seed = 1; seed <= SEEDED_RUNS; seed++) yield cutAt(bytes, places(bytes.length, seed));
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const edges = [0, ...places.filter((at) => at > 0 && at < bytes.length), bytes.length];
  return edges.slice(1).map((end, at) => bytes.subarray(edges[at], end));
}

/** Places in ascending order, the same for the same seed. */
function places(length: number, seed: number): number[] {
  const found: number[] = [];
  let state = seed;
  for (let at = 0; at < length; at += 1 + (state % 200)) {
    found.push(at);
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
  }
  return found;
}
