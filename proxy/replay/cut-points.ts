/** Where a body is cut into the chunks in which it came. */

/**
 * @param lengths of the chunks on the wire
 * @param bytes of the body that is played
 * @param scale 1, or the share of the played body's length in that on the wire, where the two are different texts
 * @returns the end of each chunk in the body that is played; the last one is the body's own
 */
export function cutPoints(lengths: readonly number[], bytes: number, scale: number): number[] {
  let onWire = 0;
  return lengths.map((length, index) => {
    onWire += length;
    return index === lengths.length - 1 ? bytes : Math.min(Math.floor(onWire * scale), bytes);
  });
}
