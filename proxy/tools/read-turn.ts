/** Takes the body of one model turn: its chunks decoded, in order, to the end or to where it broke. */
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { decoderFor } from '../dispatch/decompress.ts';

/** The body broke, or is none that can be read. */
export class TurnCut extends Error {
  /** For people, such as ECONNRESET. */
  readonly code: string;

  constructor(code: string, cause?: unknown) {
    super(`The turn broke off: ${code}`, { cause });
    this.code = code;
  }
}

/**
 * @param take may throw; the body is aborted then
 * @throws TurnCut, what `take` threw, the signal's reason
 */
export function readTurn(answer: UpstreamAnswer, take: (bytes: Buffer) => void, signal: AbortSignal): Promise<void> {
  const { body } = answer;
  const done = Promise.withResolvers<void>();
  const fail = (error: Error): void => {
    done.reject(error);
    body.abort(error);
  };
  const safely = (bytes: Buffer): void => {
    try {
      take(bytes);
    } catch (error) {
      fail(error as Error);
    }
  };
  // Nobody behind us decodes: the client gets what we make of it.
  const decoder = decoderFor(answer.rawHeaders, []);
  decoder?.on('data', safely);
  decoder?.on('end', () => done.resolve());
  decoder?.on('error', (error) => fail(new TurnCut('content-encoding is broken', error)));
  const onAbort = (): void => fail(signal.reason as Error);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  body.consume({
    chunk: (bytes) => {
      if (!decoder) safely(bytes);
      else if (!decoder.write(bytes)) {
        body.pause();
        decoder.once('drain', () => body.resume());
      }
    },
    end: () => {
      if (decoder) decoder.end();
      else done.resolve();
    },
    cut: (cause) => done.reject(cause),
  });
  return done.promise.finally(() => signal.removeEventListener('abort', onAbort));
}

/** A body of bounded length, whole. @throws as readTurn does */
export async function readWhole(answer: UpstreamAnswer, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  const take = (bytes: Buffer): void => {
    size += bytes.length;
    if (size > maxBytes) throw new TurnCut(`longer than ${maxBytes} bytes`);
    parts.push(bytes);
  };
  await readTurn(answer, take, signal);
  return Buffer.concat(parts);
}
