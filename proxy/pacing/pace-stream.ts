/** Pacing as a stage of a stream: what arrives leaves when its time has come, everything at once at the end. */
import { Transform, type TransformCallback } from 'node:stream';
import type { CompiledPacing } from '#contract/compiled-tool-loop.ts';
import { isEventStream } from '../dispatch/headers.ts';
import { headerValue } from '../listen/raw-headers.ts';
import { Pacer, type PacerOptions } from './pacer.ts';
import type { PacedForm } from './words.ts';

/** More waiting bytes than this let the upstream wait; a lag's worth of words is far less. */
const MOST_QUEUED_BYTES = 256 * 1024;

export class PaceStream extends Transform {
  readonly #pacer: Pacer;
  #timer: NodeJS.Timeout | undefined;
  /** The upstream waits for it. */
  #held: TransformCallback | undefined;

  constructor(options: PacerOptions) {
    super();
    this.#pacer = new Pacer(options);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#pacer.push(chunk, performance.now());
    this.#release();
    if (this.#pacer.queuedBytes > MOST_QUEUED_BYTES) this.#held = done;
    else done();
  }

  override _flush(done: TransformCallback): void {
    this.flushNow();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  /** Gives out all that waits: for a stream that broke, whose words the client shall have before it is cut. */
  flushNow(): void {
    clearTimeout(this.#timer);
    for (const bytes of this.#pacer.flush()) this.push(bytes);
    this.#resumeUpstream();
  }

  #release(): void {
    clearTimeout(this.#timer);
    for (const bytes of this.#pacer.due(performance.now())) this.push(bytes);
    this.#resumeUpstream();
    const { nextDueMs } = this.#pacer;
    if (nextDueMs === undefined || this.destroyed) return;
    this.#timer = setTimeout(() => this.#release(), Math.max(1, nextDueMs - performance.now()));
  }

  #resumeUpstream(): void {
    const done = this.#held;
    if (done === undefined || this.#pacer.queuedBytes > MOST_QUEUED_BYTES) return;
    this.#held = undefined;
    done();
  }
}

export interface PaceOptions {
  readonly pacing: CompiledPacing | undefined;
  /** Of the client's request, without query. */
  readonly path: string;
  /** Of the answer. */
  readonly rawHeaders: readonly string[];
  /** The upstream's own bytes: same dialect, no tool loop. */
  readonly native: boolean;
}

const FORMS: ReadonlyMap<string, PacedForm> = new Map([
  ['/v1/messages', 'messages'],
  ['/v1/chat/completions', 'chat'],
  ['/v1/responses', 'responses'],
]);

/** @returns undefined where nothing is paced: off, no event stream, a path whose text is not known, or a native path */
export function paceFor({ pacing, path, rawHeaders, native }: PaceOptions): PaceStream | undefined {
  const form = FORMS.get(path);
  if (pacing === undefined || form === undefined || (native && !pacing.nativePaths)) return undefined;
  const encoding = headerValue(rawHeaders, 'content-encoding') ?? 'identity';
  if (!isEventStream(rawHeaders) || encoding !== 'identity') return undefined;
  return new PaceStream({ form, pacing, random: Math.random });
}
