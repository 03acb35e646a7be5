/** An upstream that plays recorded answers, as it is compiled. */

/** Where no connection is ever made to, in place of a url: RFC 6761 keeps the name from being anybody's. */
export const REPLAY_ORIGIN = 'http://replay.invalid';

export interface CompiledReplay {
  /** File of records, one JSON line each; relative, below the state directory. */
  readonly path: string;
  /** 2 is twice as fast as it was recorded; 0: without any wait. */
  readonly speed: number;
}
