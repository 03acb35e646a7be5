/** The `file` target's sink: appends lines to one file below the state directory, and keeps one previous file when it is full. */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { diskProblem } from '../disk-problem.ts';
import { confine, OutsideError } from './confine.ts';
import { type LineSink, SinkGoneError } from './target.ts';

const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const LF = 0x0a;
/** How often the path is looked at, at most: somebody may have removed or renamed the file. */
const LOOK_MS = 1_000;

export interface FileSinkOptions {
  readonly stateDirectory: string;
  /** Relative, below the state directory. */
  readonly path: string;
  /** The file is rotated before it would exceed this; a single longer line is written all the same. */
  readonly maxBytes: number;
}

interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

export class FileSink implements LineSink {
  readonly #options: FileSinkOptions;
  #handle: FileHandle | undefined;
  #path = '';
  /** What the open file is known by to the file system. */
  #identity: Identity = { dev: 0n, ino: 0n };
  #lookedAtMs = 0;
  #sizeBytes = 0;

  constructor(options: FileSinkOptions) {
    this.#options = options;
  }

  async write(lines: Buffer): Promise<void> {
    try {
      let handle = (await this.#current()) ?? (await this.#open());
      if (this.#sizeBytes > 0 && this.#sizeBytes + lines.length > this.#options.maxBytes) handle = await this.#rotate();
      await this.#append(handle, lines);
    } catch (error) {
      if (error instanceof OutsideError) throw new SinkGoneError(error.message, { cause: error });
      const path = join(this.#options.stateDirectory, this.#options.path);
      throw new Error(`Cannot write "${path}": ${diskProblem(error)}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** The open file, if its path still leads to it: what is written to a removed file is gone with it. */
  async #current(): Promise<FileHandle | undefined> {
    if (performance.now() - this.#lookedAtMs < LOOK_MS) return this.#handle;
    this.#lookedAtMs = performance.now();
    if (this.#handle !== undefined && !(await this.#isInPlace())) await this.close();
    return this.#handle;
  }

  async #isInPlace(): Promise<boolean> {
    // Whatever keeps the path from being read is told when it is opened.
    const there = await lstat(this.#path, { bigint: true }).catch(() => undefined);
    return there !== undefined && there.dev === this.#identity.dev && there.ino === this.#identity.ino;
  }

  async #open(): Promise<FileHandle> {
    this.#path = await confine(this.#options.stateDirectory, this.#options.path);
    const handle = await open(this.#path, FLAGS, 0o600);
    try {
      const stat = await handle.stat({ bigint: true });
      if (!stat.isFile()) throw new OutsideError(`Cannot write to "${this.#options.path}": it is not a plain file`);
      this.#identity = { dev: stat.dev, ino: stat.ino };
      this.#sizeBytes = Number(stat.size);
      if (this.#sizeBytes > 0) await this.#endLastLine(handle, this.#sizeBytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    return handle;
  }

  /** A process that was killed while writing leaves half a line, which must not swallow the next one. */
  async #endLastLine(handle: FileHandle, sizeBytes: number): Promise<void> {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, sizeBytes - 1);
    if (buffer[0] !== LF) await this.#append(handle, Buffer.from('\n'));
  }

  /** All or nothing: what a failed write left behind is cut off again. */
  async #append(handle: FileHandle, lines: Buffer): Promise<void> {
    const before = this.#sizeBytes;
    try {
      let from = 0;
      while (from < lines.length) {
        const { bytesWritten } = await handle.write(lines, from, lines.length - from);
        from += bytesWritten;
      }
      this.#sizeBytes += lines.length;
    } catch (error) {
      await handle.truncate(before).catch(() => {});
      // Opened anew for the next try: the folder may have been replaced, or the volume mounted again.
      this.#handle = undefined;
      await handle.close().catch(() => {});
      throw error;
    }
  }

  async #rotate(): Promise<FileHandle> {
    await this.close();
    await rename(this.#path, `${this.#path}.1`);
    return this.#open();
  }
}
