/** The `file` target's sink: appends lines to one file below the state directory, and keeps one previous file when it is full. */
import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { confine, OutsideError } from './confine.ts';
import { type LineSink, SinkGoneError } from './target.ts';

const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const LF = 0x0a;

export interface FileSinkOptions {
  readonly stateDirectory: string;
  /** Relative, below the state directory. */
  readonly path: string;
  /** The file is rotated before it would exceed this; a single longer line is written all the same. */
  readonly maxBytes: number;
}

export class FileSink implements LineSink {
  readonly #options: FileSinkOptions;
  #handle: FileHandle | undefined;
  #path = '';
  #sizeBytes = 0;

  constructor(options: FileSinkOptions) {
    this.#options = options;
  }

  async write(lines: Buffer): Promise<void> {
    try {
      let handle = this.#handle ?? (await this.#open());
      if (this.#sizeBytes > 0 && this.#sizeBytes + lines.length > this.#options.maxBytes) handle = await this.#rotate();
      await this.#append(handle, lines);
    } catch (error) {
      if (error instanceof OutsideError) throw new SinkGoneError(error.message, { cause: error });
      throw error;
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    this.#path = await confine(this.#options.stateDirectory, this.#options.path);
    const handle = await open(this.#path, FLAGS, 0o600);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new OutsideError(`Cannot write to "${this.#options.path}": it is not a plain file`);
      this.#sizeBytes = stat.size;
      if (stat.size > 0) await this.#endLastLine(handle, stat.size);
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
