/** Mutated recorded streams through the proxy's scanner: it never throws, and says the same however they are cut. */
import assert from 'node:assert/strict';
import { scannerFor } from '../../proxy/stream/scan.ts';
import { eventEdges, fixtures, providerRecordings, type Recording } from '../support/clients/recordings.ts';
import { cutAt, randomPlaces, type Seeded, seeded } from '../support/clients/seeded.ts';
import { mutate } from './mutate.ts';

const HEADERS = ['content-type', 'text/event-stream'];
/** Longer ones are cut down to whole events, or few would be tried. */
const MOST_BYTES = 24 * 1024;
const CHUNKINGS = 3;

export interface ScannerFigures {
  readonly streams: number;
  readonly recordings: number;
  /** Streams that lost their terminal event. */
  readonly cutShort: number;
  readonly failures: readonly string[];
}

/** Runs until `endsAt` of `performance.now()`; gives way to others now and then. */
export async function fuzzScanner(endsAt: number, seed: number): Promise<ScannerFigures> {
  const random = seeded(seed);
  const recordings = [...fixtures(), ...(providerRecordings() ?? [])].filter(({ isStream }) => isStream);
  const figures = { streams: 0, recordings: recordings.length, cutShort: 0, failures: [] as string[] };
  while (performance.now() < endsAt && figures.failures.length === 0) {
    const recording = random.pick(recordings);
    const cutShort = random.next() < 0.3 && recording.end === 'complete' && isTerminated(recording);
    const bytes = cutShort ? withoutEnd(recording, random) : mutate(opening(recording.bytes, random), 'stream', random);
    figures.streams += 1;
    if (cutShort) figures.cutShort += 1;
    try {
      const terminal = assertSame(recording, bytes, random);
      if (cutShort) assert.notEqual(terminal, 'seen', 'a stream without its terminal event');
    } catch (error) {
      figures.failures.push(
        `${recording.name}: ${String(error)} ${JSON.stringify(bytes.toString('latin1').slice(-2_000))}`,
      );
    }
    if (figures.streams % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return figures;
}

/** Whether a terminal event is there to be cut off. */
function isTerminated({ bytes }: Recording): boolean {
  return terminalAt(bytes) > 0;
}

/** Where the first event begins that could end the stream; -1: there is none. */
function terminalAt(bytes: Buffer): number {
  const found = /"finish_reason": ?"|message_stop|\[DONE\]|response\.(?:completed|incomplete|failed)/.exec(
    bytes.toString('latin1'),
  );
  return found?.index ?? -1;
}

/** Cut anywhere before the terminal event has ended. */
function withoutEnd({ bytes }: Recording, random: Seeded): Buffer {
  const at = terminalAt(bytes);
  const eventEnd = eventEdges(bytes).find((edge) => edge > at) ?? bytes.length;
  // The blank line that dispatches the event may be one byte long, or two behind a CR: neither may be whole.
  const text = bytes.subarray(0, eventEnd).toString('latin1');
  const lastLine = text.replace(/[\r\n]+$/, '').length;
  const cut = random.next() < 0.5 ? random.below(lastLine + 1) : Math.max(0, lastLine - random.below(40));
  return Buffer.from(bytes.subarray(0, cut));
}

/** A beginning of some whole events. */
function opening(bytes: Buffer, random: Seeded): Buffer {
  if (bytes.length <= MOST_BYTES) return bytes;
  const edges = eventEdges(bytes).filter((edge) => edge <= MOST_BYTES);
  const head = bytes.subarray(0, edges.at(-1) ?? MOST_BYTES);
  return random.next() < 0.5 ? head : Buffer.concat([head, bytes.subarray(-4_096)]);
}

/** @returns the verdict about the end */
function assertSame({ dialect, path }: Recording, bytes: Buffer, random: Seeded): string {
  const read = (pieces: readonly Buffer[]) => {
    const scanner = scannerFor(dialect, path, HEADERS);
    for (const piece of pieces) scanner.push(piece);
    const { contentEvents, model, usage } = scanner;
    return { verdict: scanner.verdict(), contentEvents, model, usage };
  };
  const whole = read([bytes]);
  for (let count = 0; count < CHUNKINGS && bytes.length > 0; count += 1) {
    assert.deepEqual(read(cutAt(bytes, randomPlaces(bytes.length, 60, random))), whole);
  }
  if (bytes.length <= 4_096) {
    const everyByte = Array.from({ length: bytes.length }, (_, index) => index);
    assert.deepEqual(read(cutAt(bytes, everyByte)), whole);
  }
  return whole.verdict.terminal;
}
