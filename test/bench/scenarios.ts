/** The scenarios: what load each one is. The rig (go/) executes these plans as they stand. */

/** One load, as go/bench.go takes it. */
export interface Plan {
  readonly name: string;
  /**
   * `steady`: all streams open from the warm-up to the end; `arrivals`: so many new answers a second, whether or not
   * earlier ones have ended; `one-by-one`: the next when the last has ended; `flood`: one answer as fast as it goes.
   */
  readonly shape: 'steady' | 'arrivals' | 'one-by-one' | 'flood';
  readonly streams?: number;
  readonly eventsPerSecond?: number;
  /** Deltas of each stream; absent: until the run ends. */
  readonly eventsPerStream?: number;
  readonly answersPerSecond?: number;
  readonly floodBytes?: number;
  /** Answers are JSON of this size instead of streams. */
  readonly jsonBytes?: number;
  /** One more answer of this size, whose client stops reading after `stallAfterBytes`. */
  readonly stalledBytes?: number;
  readonly stallAfterBytes?: number;
  /** Of arrivals: none is sent while so many are open; absent: all are. */
  readonly maxOpen?: number;
  /**
   * How the client checks streams: `exact` (the default) demands the upstream's bytes; `meaning` any valid Messages stream
   * with every delta's text, once and in order.
   */
  readonly reader?: 'exact' | 'meaning';
  readonly warmSeconds: number;
  /** After the last connection closed, until memory is read again; absent: two. */
  readonly restSeconds?: number;
  /** Length of the measured window; a flood is as long as it takes. */
  readonly seconds: number;
}

export interface Scenario {
  readonly name: string;
  /** One line for the table's caption. */
  readonly title: string;
  /** What processor time is divided by. */
  readonly unit: 'event' | 'answer';
  readonly plan: Omit<Plan, 'name' | 'seconds'>;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'one',
    title: 'One stream at a time, 20 events each, 100 events/s',
    unit: 'event',
    plan: { shape: 'one-by-one', eventsPerSecond: 100, eventsPerStream: 20, warmSeconds: 3 },
  },
  {
    name: 'paced-20',
    title: '20 open streams, 50 events/s each (1,000 events/s)',
    unit: 'event',
    plan: { shape: 'steady', streams: 20, eventsPerSecond: 50, warmSeconds: 6 },
  },
  {
    name: 'paced-100',
    title: '100 open streams, 50 events/s each (5,000 events/s)',
    unit: 'event',
    plan: { shape: 'steady', streams: 100, eventsPerSecond: 50, warmSeconds: 6 },
  },
  {
    name: 'paced-500',
    title: '500 open streams, 20 events/s each (10,000 events/s)',
    unit: 'event',
    plan: { shape: 'steady', streams: 500, eventsPerSecond: 20, warmSeconds: 6, restSeconds: 16 },
  },
  {
    name: 'idle-2000',
    title: '2,000 open streams, 5 events/s each (10,000 events/s)',
    unit: 'event',
    plan: { shape: 'steady', streams: 2000, eventsPerSecond: 5, warmSeconds: 6 },
  },
  {
    name: 'firehose',
    title: 'One stream of 128 MiB as fast as it goes, every event a chunk of its own',
    unit: 'event',
    plan: { shape: 'flood', floodBytes: 128 * MIB, warmSeconds: 0 },
  },
  {
    name: 'short',
    title: '300 new streams a second, 10 events each, 100 events/s',
    unit: 'answer',
    plan: { shape: 'arrivals', answersPerSecond: 300, eventsPerSecond: 100, eventsPerStream: 10, warmSeconds: 6 },
  },
  {
    name: 'short-10',
    title: '10 new streams a second, 10 events each, 100 events/s',
    unit: 'answer',
    plan: { shape: 'arrivals', answersPerSecond: 10, eventsPerSecond: 100, eventsPerStream: 10, warmSeconds: 6 },
  },
  {
    name: 'json',
    title: '500 answers a second of 8 KiB JSON, not streamed',
    unit: 'answer',
    plan: { shape: 'arrivals', answersPerSecond: 500, jsonBytes: 8 * KIB, warmSeconds: 6 },
  },
  {
    name: 'stalled',
    title: '50 open streams, 20 events/s each, beside a 200 MB answer whose client stops reading',
    unit: 'event',
    plan: {
      shape: 'steady',
      streams: 50,
      eventsPerSecond: 20,
      stalledBytes: 200_000_000,
      stallAfterBytes: MIB,
      warmSeconds: 4,
    },
  },
  {
    name: 'translate',
    title: 'Messages clients on a Chat Completions upstream: 100 open streams, 50 events/s each (5,000 events/s)',
    unit: 'event',
    plan: { shape: 'steady', streams: 100, eventsPerSecond: 50, reader: 'meaning', warmSeconds: 6 },
  },
  {
    name: 'translate-10',
    title: 'The same with 10 open streams, 50 events/s each (500 events/s)',
    unit: 'event',
    plan: { shape: 'steady', streams: 10, eventsPerSecond: 50, reader: 'meaning', warmSeconds: 6 },
  },
  {
    name: 'translate-long',
    title: 'One stream of 5,000 events/s, 30,000 of them before the measured window; 64 KiB kept of each body',
    unit: 'event',
    plan: { shape: 'steady', streams: 1, eventsPerSecond: 5000, reader: 'meaning', warmSeconds: 6 },
  },
  {
    name: 'log',
    title:
      '500 open streams, 10 events/s each (5,000 events/s); 50 of them end each second, are recorded whole and replaced',
    unit: 'event',
    // The first stream ends after ten seconds; only then the log begins to work, and it is compiled a minute and a half later.
    plan: { shape: 'arrivals', answersPerSecond: 50, eventsPerSecond: 10, eventsPerStream: 100, warmSeconds: 130 },
  },
  {
    name: 'log-postgres',
    title: 'Records of 8 KiB into PostgreSQL, by the exchanges offered each second (at most 256 open at once)',
    unit: 'answer',
    // The log is compiled by then.
    plan: { shape: 'arrivals', jsonBytes: 5.5 * KIB, maxOpen: 256, warmSeconds: 40 },
  },
];

/** The scenarios that a word of the command line means: the one of that name, and those whose names begin with it and a dash. */
export function scenariosNamed(word: string, names: readonly string[]): string[] {
  return names.filter((name) => name === word || name.startsWith(`${word}-`));
}

/** The name under which starts and idle memory are measured (ready.ts). */
export const READY = 'ready';
