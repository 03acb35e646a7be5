/** What an attempt may ask of the body that it sends: the client's own, or one that was made from it. */
import type { Readable } from 'node:stream';

/** What is sent: a whole body that can be sent again, a stream that cannot, or none. */
export type OutgoingBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'stream'; readonly stream: Readable; readonly contentLength: number | undefined };

export interface SendableBody {
  /** Everything is there. */
  readonly whole: boolean;
  /** Whether it may be sent (again): nothing of it has been given away for good. */
  readonly replayable: boolean;
  /** Whether the next byte is the client's to send. */
  readonly waitsForClient: boolean;
  /**
   * The bytes to send to an upstream. A body that is whole can be asked for again and again, a longer one once.
   * @param model put in place of the body's model, in the same bytes
   */
  send(model?: string): OutgoingBody;
  /** Reads all of it, up to so many bytes. @throws what the body failed with */
  gather(maxBytes: number, signal: AbortSignal): Promise<void>;
  /** Ends the body for whoever reads it. */
  fail(error: Error): void;
}
