/** The `stdout` target's sink: lines on descriptor 1, one write at a time, without ever blocking the event loop. */
import { fstatSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LineSink, SinkGoneError } from './target.ts';

const STDOUT = 1;
const AGAIN_MS = 20;

/**
 * `process.stdout` is not used: on a pipe its writes block the whole process while nobody reads. A pipe or socket is
 * written as a stream that waits for its reader, anything else (file, terminal) in the thread pool.
 */
export function openStdout(descriptor: number = STDOUT): LineSink {
  const sink = opened.get(descriptor) ?? (isPipe(descriptor) ? pipeSink(descriptor) : fileSink(descriptor));
  opened.set(descriptor, sink);
  return sink;
}

/** One sink a descriptor for the process' life: the event loop cannot watch the same one twice. */
const opened = new Map<number, LineSink>();

function isPipe(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false;
  }
}

function pipeSink(descriptor: number): LineSink {
  let socket: Socket | undefined;
  let gone: Error | undefined;
  const open = (): Socket => {
    socket = new Socket({ fd: descriptor, readable: false, writable: true });
    socket.on('error', (error) => {
      gone = error;
    });
    socket.unref();
    return socket;
  };
  return {
    write: (lines) =>
      new Promise((resolve, reject) => {
        const fail = (error: Error): void => reject(stdoutGone(error));
        if (gone !== undefined) {
          fail(gone);
          return;
        }
        (socket ?? open()).write(lines, (error) => (error ? fail(error) : resolve()));
      }),
    // The descriptor stays open: it is the process' own.
    close: () => Promise.resolve(),
  };
}

function fileSink(descriptor: number): LineSink {
  return {
    async write(lines) {
      let from = 0;
      while (from < lines.length) {
        const written = await writeSome(descriptor, lines, from);
        from += written;
        if (written === 0) await sleep(AGAIN_MS, undefined, { ref: false });
      }
    },
    close: () => Promise.resolve(),
  };
}

/** @returns how many bytes were taken; 0 when the descriptor is not ready */
function writeSome(descriptor: number, lines: Buffer, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, lines, from, lines.length - from, null, (error, written) => {
      if (error === null) resolve(written);
      else if (error.code === 'EAGAIN') resolve(0);
      // Part of a line may have been written, so that a repeated write would tear it: no second try on stdout.
      else reject(stdoutGone(error));
    });
  });
}

function stdoutGone(error: Error): SinkGoneError {
  return new SinkGoneError(`Cannot write to stdout: ${error.message}`, { cause: error });
}
