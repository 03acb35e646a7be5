/** What the measurement needs to know of a program that stands between client and upstream. */
import type { Plan } from '../scenarios.ts';

export interface Place {
  /** An empty folder of this run's own, removed afterwards. */
  readonly folder: string;
  readonly listenPort: number;
  /** For subjects that have a port for metrics and readiness. */
  readonly metricsPort: number;
  readonly upstreamPort: number;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Record<string, string>;
  /** A path on the metrics port that answers 200 when the subject serves; absent: accepting a connection is enough. */
  readonly readyPath?: string;
  /** Ends what was started beside it. */
  readonly close?: () => Promise<void>;
}

export interface Subject {
  readonly name: string;
  /** What differs from the scenario's plan with this subject. */
  readonly plan?: Partial<Plan>;
  /** Its log's own counts are read at both ends of the measured window. */
  readonly countsLog?: boolean;
  /** Brings the program about; @returns its version, or undefined with a word to the log when it cannot be had. */
  prepare(log: (line: string) => void): Promise<string | undefined>;
  /** Writes what it reads and says how to start it; absent for `direct`, where nothing stands between. */
  readonly command?: (place: Place) => Promise<Command>;
}
