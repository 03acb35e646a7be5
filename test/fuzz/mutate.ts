/** Bytes → other bytes: what a hostile or broken sender makes of them. */
import type { Seeded } from '../support/clients/seeded.ts';

/** Pieces that parsers disagree about. */
const HTTP_PIECES = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  '0\r\n\r\n',
  '\r\n\r\n',
  '\r\n ',
  'chunked',
  'Transfer-Encoding: chunked\r\n',
  'transfer-encoding: xchunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'Content-Length: 0\r\n',
  'content-length: 5\r\n',
  'Content-Length: +3\r\n',
  'Content-Length: 1, 1\r\n',
  'Host: evil\r\n',
  'Content-Length: 0x1\r\n',
  'Connection: content-length\r\n',
  'Connection: transfer-encoding\r\n',
  'Expect: 100-continue\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
  'Upgrade: websocket\r\nConnection: Upgrade\r\n',
  '1;a=b\r\nx\r\n',
  'ffffffffffffffff\r\n',
  '-1\r\n',
  '%00',
  '/../',
  '#',
  '\x7f',
  '\xff',
  'HTTP/1.0',
  'HTTP/2.0',
]; // prettier-ignore

const STREAM_PIECES = [
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\r\n\r\n',
  'data:',
  'data: ',
  'event: ',
  ':',
  'data: [DONE]',
  '\ufeff',
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  '\\u',
  'null',
  '"usage":{"input_tokens":9}',
  '"usage":null',
  '"type":"error"',
  'x'.repeat(5_000),
  'x'.repeat(70_000),
  '\0',
  'id: 1\n',
  'retry: 5\n',
]; // prettier-ignore

export type Kind = 'http' | 'stream';

/** One to four changes, each at a random place. */
export function mutate(bytes: Buffer, kind: Kind, random: Seeded): Buffer {
  let mutated = bytes;
  for (let left = 1 + random.below(4); left > 0; left -= 1) mutated = change(mutated, kind, random);
  return mutated;
}

function change(bytes: Buffer, kind: Kind, random: Seeded): Buffer {
  const at = random.below(bytes.length + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  const some = 1 + random.below(random.next() < 0.8 ? 4 : 64);
  switch (random.below(6)) {
    case 0: {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] = random.below(256);
      return copy;
    }
    case 1:
      return Buffer.concat([before, after.subarray(some)]);
    case 2:
      return Buffer.concat([before, after.subarray(0, some), after]);
    case 3:
      return Buffer.concat([
        before,
        Buffer.from(random.pick(kind === 'http' ? HTTP_PIECES : STREAM_PIECES), 'utf8'),
        after,
      ]);
    case 4:
      return atLine(bytes, kind, random);
    default:
      return random.next() < 0.3 ? Buffer.from(before) : Buffer.concat([after, before.subarray(0, some)]);
  }
}

/** Puts a piece at the beginning of a line, where field lines and events begin. */
function atLine(bytes: Buffer, kind: Kind, random: Seeded): Buffer {
  const lines = bytes.toString('latin1').split('\n');
  const piece = Buffer.from(random.pick(kind === 'http' ? HTTP_PIECES : STREAM_PIECES), 'utf8').toString('latin1');
  const index = random.below(lines.length);
  lines[index] = piece + (lines[index] ?? '');
  return Buffer.from(lines.join('\n'), 'latin1');
}
