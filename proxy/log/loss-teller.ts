/** Records that are lost -> lines of our own log: at once, and while it goes on one a minute with how many since the line before. */
import type { DropReason } from '../observe/meters.ts';
import type { Logger } from './logger.ts';

const AGAIN_MS = 60_000;

/**
 * What to do against each reason. Absent: `superseded` loses nothing, `invalid` is told by the target's state, and `refused`,
 * `corrupt` and `shutdown` have lines of their own.
 */
const WAYS_OUT: Readonly<Partial<Record<DropReason, string>>> = {
  overflow: 'more came than could be written: repair the target, or give the sidecar more processor time',
  spool_full: 'repair the target, or raise logging.spool.maxBytes',
  expired: 'repair the target, or raise logging.spool.maxAge',
  removed: 'keep a target in the config until nothing waits for it',
  failed: 'look for the line before this one that tells what failed',
};
const STRIPPED = 'Records lost the content of their bodies, as the spool is full';
const STRIPPED_WAY_OUT = 'repair the target for which records wait, or raise logging.spool.maxBytes';

interface Since {
  readonly line: (records: number) => void;
  records: number;
}

export class LossTeller {
  readonly #logger: Pick<Logger, 'warn'>;
  /** Lost since the last line, for a minute after each. */
  readonly #since = new Map<string, Since>();

  constructor(logger: Pick<Logger, 'warn'>) {
    this.#logger = logger;
  }

  lost(target: string, reason: DropReason, records: number): void {
    const wayOut = WAYS_OUT[reason];
    if (wayOut === undefined) return;
    const fields = { target, reason, wayOut };
    this.#tell(`${target} ${reason}`, records, (lost) =>
      this.#logger.warn('Log target lost records', { ...fields, records: lost }),
    );
  }

  /** Records that are kept without their bodies, for whichever target they wait. */
  stripped(records: number): void {
    this.#tell('', records, (lost) => this.#logger.warn(STRIPPED, { records: lost, wayOut: STRIPPED_WAY_OUT }));
  }

  /** Tells what was lost since the last lines: nobody waits for the minute to be over. */
  close(): void {
    for (const since of this.#since.values()) {
      if (since.records > 0) since.line(since.records);
      since.records = 0;
    }
  }

  #tell(key: string, records: number, line: Since['line']): void {
    if (records === 0) return;
    const known = this.#since.get(key);
    if (known !== undefined) {
      known.records += records;
      return;
    }
    line(records);
    const since: Since = { line, records: 0 };
    this.#since.set(key, since);
    setTimeout(() => {
      this.#since.delete(key);
      this.#tell(key, since.records, line);
    }, AGAIN_MS).unref();
  }
}
