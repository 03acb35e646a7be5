/** What a tap gathered -> a record's line, in this thread or in one of its own; what it finds out on the way is counted here. */
import type { Metrics } from '../observe/meters.ts';
import type { FactsSoFar } from './exchange-facts.ts';
import type { Logger } from './logger.ts';
import { makeLine, type ReadTokens, readTokens } from './making/make-line.ts';
import { MakerThread } from './making/maker-thread.ts';
import type { RecordIdentity } from './record.ts';

export interface RecordMakerOptions {
  readonly identity: RecordIdentity;
  readonly metrics: Pick<Metrics, 'tokens'>;
  readonly logger: Pick<Logger, 'error'>;
}

export class RecordMaker {
  readonly #options: RecordMakerOptions;
  readonly #thread: MakerThread;

  constructor(options: RecordMakerOptions) {
    this.#options = options;
    const onFailure = (error: unknown): void =>
      options.logger.error('Cannot make records in a thread of its own: they are made beside the streams', { error });
    this.#thread = new MakerThread({ identity: options.identity, onFailure });
  }

  /** @returns the record as targets get it, with its newline */
  async make(facts: FactsSoFar): Promise<Buffer> {
    const isApart = RecordMaker.isApart(facts);
    const { line, tokens } = await (isApart ? this.#thread.make(facts) : makeLine(facts, this.#options.identity));
    this.#count(tokens);
    return line;
  }

  /** Whether its record is made in the other thread: where there are no patterns, one of its own is not worth its memory. */
  static isApart({ rules }: FactsSoFar): boolean {
    return rules.patterns.length > 0;
  }

  /** Counts the tokens of an exchange of which no record is wanted. */
  async count(facts: FactsSoFar): Promise<void> {
    this.#count(await readTokens(facts));
  }

  /** From now on no record waits for others to come along. */
  hurry(): void {
    this.#thread.hurry();
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  #count(tokens: ReadTokens | undefined): void {
    if (tokens !== undefined) this.#options.metrics.tokens(tokens.model, tokens.usage, tokens.isChained);
  }
}
