/** What a target of the network is made of: takes batches of records, at least once, by their ids. Runs in the spool's thread. */

export interface SinkRecord {
  /** The record's id: unique, sortable, and the idempotency key at the target. */
  readonly id: string;
  /** Which state of the record this is, where a running stream was recorded, too; the highest replaces the others. @default 0 */
  readonly sequence?: number;
  /** The record as JSON, without newline, already redacted. */
  readonly json: Buffer;
}

export interface RecordSink {
  /** Most that `write` is given at once. */
  readonly batch: {
    readonly records: number;
    readonly bytes: number;
    /** How long records are gathered before a write that is not full, for targets that want few and large ones. @default 0 */
    readonly lingerMs?: number;
  };
  /**
   * Resolves when the target has taken every record for good. A record may come again after a failure: the target must be told
   * its id, so that it keeps one.
   * @throws RefusedError when the target will never take this content: the batch is halved until the culprit is found and
   *   dropped; anything else: the whole batch is repeated later
   */
  write(records: readonly SinkRecord[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The target understood and refused what it was given: repeating it would be refused again. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** The target asks to be left alone for so long. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs: number | undefined) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}
