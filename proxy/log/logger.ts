/** Structured lines about ourselves: one JSON object each on stderr, as stdout belongs to records. Credentials cannot get in. */
import { writeSync } from 'node:fs';
import { scrub } from './scrub.ts';

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];

export interface LoggerOptions {
  /** Lines below this level are not written. @default 'info' */
  readonly level?: LogLevel;
  /** Where a finished line (newline included) goes. @default stderr */
  readonly write?: (line: string) => void;
  /** Exact values that must never be written, such as the credentials that are mounted at the moment. */
  readonly secrets?: () => Iterable<string>;
}

/** A logger whose methods never throw and never wait for anybody but the kernel. */
export function createLogger({
  level = 'info',
  write = writeToStderr,
  secrets = noSecrets,
}: LoggerOptions = {}): Logger {
  const lowest = LEVELS.indexOf(level);
  const at =
    (lineLevel: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      if (LEVELS.indexOf(lineLevel) < lowest) return;
      try {
        const line = { time: new Date().toISOString(), level: lineLevel, message, ...fields };
        write(`${JSON.stringify(scrub(line, [...secrets()]))}\n`);
      } catch {
        // A logger that fails has nobody to tell; what it serves goes on.
      }
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function noSecrets(): Iterable<string> {
  return [];
}

/** Straight to the descriptor: `process.stderr` would make a pipe that stdout may share blocking, or buffer without bound. */
function writeToStderr(line: string): void {
  writeSync(2, line);
}
