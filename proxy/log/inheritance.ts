/**
 * What an earlier process left open in the state directory: taken over at the start, or, where another process still has the
 * directory, as soon as that one has gone.
 */
import type { Journal } from './journal.ts';
import type { JournalEntry } from './journal-entries.ts';
import type { Logger } from './logger.ts';
import type { PartialStates } from './partials/states.ts';
import type { StateHold } from './state-hold.ts';

export interface InheritanceOptions {
  readonly journal: Pick<Journal, 'recover'>;
  readonly states: Pick<PartialStates, 'recover'>;
  /** Absent: nobody else can have the directory. */
  readonly hold: Pick<StateHold, 'held' | 'take'> | undefined;
  readonly logger: Pick<Logger, 'error' | 'info' | 'warn'>;
  /** Makes the record of one exchange; called once there are targets. */
  readonly deliver: (entry: JournalEntry) => void;
}

/** How often a directory that another process has is asked for again. */
const RETRY_MS = 2_000;

export class Inheritance {
  readonly #options: InheritanceOptions;
  #entries: readonly JournalEntry[] = [];
  #hasTargets = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: InheritanceOptions) {
    this.#options = options;
    const { hold, logger } = options;
    if (hold === undefined || hold.held) {
      this.#takeOver();
      return;
    }
    logger.error(
      'Another process has the state directory: until it has gone, records wait in memory and a crash loses them; ' +
        'give each pod a volume of its own (spec.sidecar.stateVolume)',
    );
    this.#retry = setInterval(() => this.#tryAgain(hold), RETRY_MS).unref();
  }

  /** There are targets from now on. */
  configured(): void {
    this.#hasTargets = true;
    const entries = this.#entries;
    this.#entries = [];
    for (const entry of entries) this.#options.deliver(entry);
  }

  close(): void {
    clearInterval(this.#retry);
  }

  #tryAgain(hold: NonNullable<InheritanceOptions['hold']>): void {
    if (!hold.take()) return;
    this.close();
    this.#options.logger.info('The state directory is free now, and this process has it');
    this.#takeOver();
    if (this.#hasTargets) this.configured();
  }

  #takeOver(): void {
    const { journal, states, logger } = this.#options;
    this.#entries = journal.recover();
    states.recover(new Set(this.#entries.map(({ id }) => id)));
    const exchanges = this.#entries.length;
    if (exchanges > 0) logger.warn('Found exchanges that the process before left open', { exchanges });
  }
}
