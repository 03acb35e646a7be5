/**
 * The records of one file, by the path of their request and by id. The file is read once; what is appended later is read when
 * the next one is asked for, and a file that was replaced is read anew. Only places are kept, no content.
 */
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readLines } from './lines.ts';
import { memberOf, type Recording, readRecording } from './recording.ts';

interface Entry {
  /** Which state of the record this is: of each record the highest is played. */
  readonly sequence: number;
  /** Ids by which it can be asked for: the record's own, and the exchange's. */
  readonly ids: readonly string[];
  /** Path of the request, without query. */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** What was read of a file. */
interface Index {
  readonly identity: string;
  readonly modifiedMs: number;
  /** Where the next line begins. */
  readonly endBytes: number;
  readonly entries: readonly Entry[];
}

/** Records beyond these are not played. */
const MOST_RECORDS = 10_000;

/** Why nothing can be played; the message is the rest of a sentence that begins with the upstream's name. */
export class NothingToPlayError extends Error {
  override readonly name = 'NothingToPlayError';
}

export class RecordingLibrary {
  readonly #stateDirectory: string;
  readonly #path: string;
  /** Next one's number, by path. */
  readonly #turns = new Map<string, number>();
  #index: Index | undefined;
  /** One reading after the other. */
  #reading: Promise<unknown> = Promise.resolve();

  /** @param path relative, below the state directory */
  constructor(stateDirectory: string, path: string) {
    this.#stateDirectory = stateDirectory;
    this.#path = path;
  }

  /**
   * @param path of the request, without query
   * @param id of a record or an exchange; absent: those of the path take turns, in the order of the file
   * @throws NothingToPlayError
   */
  async choose(path: string, id: string | undefined): Promise<Recording> {
    const file = await this.#open();
    try {
      const { entries } = await this.#read(file);
      if (id !== undefined) return await this.#byId(file, entries, id);
      return await this.#byTurn(file, entries, path);
    } finally {
      await file.close();
    }
  }

  async #byId(file: FileHandle, entries: readonly Entry[], id: string): Promise<Recording> {
    const entry = entries.find(({ ids }) => ids.includes(id));
    if (!entry) throw new NothingToPlayError(`has no record "${id.slice(0, 80)}" in "${this.#path}"`);
    const recording = await load(file, entry);
    if (typeof recording !== 'string') return recording;
    throw new NothingToPlayError(`cannot play the record "${id.slice(0, 80)}": it ${recording}`);
  }

  async #byTurn(file: FileHandle, entries: readonly Entry[], path: string): Promise<Recording> {
    const own = entries.filter((entry) => entry.path === path);
    const first = this.#turns.get(path) ?? 0;
    for (let i = 0; i < own.length; i++) {
      const turn = (first + i) % own.length;
      const entry = own[turn];
      const recording = entry && (await load(file, entry));
      if (recording === undefined || typeof recording === 'string') continue;
      this.#turns.set(path, turn + 1);
      return recording;
    }
    throw new NothingToPlayError(`has no record in "${this.#path}" that can be played for this path; record one first`);
  }

  async #open(): Promise<FileHandle> {
    try {
      const root = await realpath(this.#stateDirectory);
      const real = await realpath(join(root, this.#path));
      if (!real.startsWith(root + sep))
        throw new NothingToPlayError(`must not leave the state directory with "${this.#path}"`);
      return await open(real, 'r');
    } catch (error) {
      if (error instanceof NothingToPlayError) throw error;
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      throw new NothingToPlayError(`cannot read "${this.#path}" below the state directory: ${code}`);
    }
  }

  #read(file: FileHandle): Promise<Index> {
    const read = this.#reading.then(() => this.#update(file));
    this.#reading = read.catch(() => {});
    return read;
  }

  async #update(file: FileHandle): Promise<Index> {
    const { dev, ino, size, mtimeMs, isFile } = await factsOf(file);
    if (!isFile) throw new NothingToPlayError(`cannot play "${this.#path}": it is not a plain file`);
    const identity = `${dev}:${ino}`;
    const known = this.#index?.identity === identity ? this.#index : undefined;
    if (known && known.modifiedMs === mtimeMs && known.endBytes === size) return known;
    const grown = known !== undefined && size > known.endBytes;
    const entries = grown ? [...known.entries] : [];
    let endBytes = grown ? known.endBytes : 0;
    for await (const line of readLines(file, endBytes, size)) {
      if (entries.length >= MOST_RECORDS) break;
      const entry = entryOf(line.bytes, line.start);
      if (entry) keep(entries, entry);
      if (entry || !line.open) endBytes = line.end;
      // Streams pass on between two records.
      await nextTurn();
    }
    this.#index = { identity, modifiedMs: mtimeMs, endBytes, entries };
    return this.#index;
  }
}

async function factsOf(file: FileHandle) {
  const stat = await file.stat();
  return { dev: stat.dev, ino: stat.ino, size: stat.size, mtimeMs: stat.mtimeMs, isFile: stat.isFile() };
}

/** States of a running stream's record, in whatever order they come, are one record; its place is the first one's. */
function keep(entries: Entry[], entry: Entry): void {
  const known = entry.sequence === 0 ? -1 : entries.findIndex(({ ids }) => ids[0] === entry.ids[0]);
  if (known === -1) entries.push(entry);
  else if ((entries[known]?.sequence ?? 0) < entry.sequence) entries[known] = entry;
}

function entryOf(line: Buffer, offset: number): Entry | undefined {
  const record = parse(line);
  const ids = [memberOf(record, 'id'), memberOf(record, 'exchange')].filter((id) => typeof id === 'string');
  const target = memberOf(memberOf(record, 'request'), 'target');
  if (ids.length === 0 || typeof target !== 'string') return undefined;
  const sequence = memberOf(record, 'sequence');
  return {
    sequence: typeof sequence === 'number' ? sequence : 0,
    ids: [...new Set(ids)],
    path: target.split('?', 1)[0] ?? '',
    offset,
    length: line.length,
  };
}

async function load(file: FileHandle, { offset, length }: Entry): Promise<Recording | string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  return readRecording(parse(buffer.subarray(0, bytesRead)));
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch {
    return undefined;
  }
}
