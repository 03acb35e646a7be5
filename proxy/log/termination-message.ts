/**
 * The container's termination message, which the kubelet copies into the pod's status: what is not delivered when the process
 * stops, or why it did not start. Written by us alone: the kubelet's other way, the end of the container's output, would put records
 * of a `stdout` target there.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { remainderMessage, type TargetRemainder } from '#contract/remainder.ts';
import type { Logger } from './logger.ts';
import { scrubText } from './scrub.ts';
import type { TargetState } from './targets/target.ts';

/** A process whose grace runs out is killed without warning: what it said last is at most so old. */
const EVERY_MS = 250;

/** What a pod of twelve containers has room for of each. */
const MOST_CHARS = 1_000;

export interface TellingOptions {
  /** The file, which is there already; undefined: nothing is said. */
  readonly path: string | undefined;
  readonly states: () => readonly TargetState[];
  readonly logger: Logger;
}

/**
 * Says what is not delivered, now and again and again until told that it was the last time. Never throws.
 * @returns to be called when the log is closed
 */
export function tellRemainder({ path, states, logger }: TellingOptions): () => void {
  if (path === undefined) return () => {};
  const file = openFile(path, logger);
  if (file === undefined) return () => {};
  // What an earlier process on the same volume gave up is not ours to report.
  const before = new Map(states().map(({ name, dropped }) => [name, dropped.shutdown ?? 0]));
  let longest = 0;
  const write = (final: boolean): void => {
    const text = remainderMessage({ final, targets: remaining(states(), before) });
    longest = Math.max(longest, text.length);
    try {
      // In place and in one call, padded over what was longer: a kill leaves the old message or the new one.
      writeSync(file, text.padEnd(longest), 0);
    } catch (error) {
      logger.warn('Cannot write the termination message', { path, error });
    }
  };
  write(false);
  const timer = setInterval(() => write(false), EVERY_MS).unref();
  return () => {
    clearInterval(timer);
    write(true);
    closeSync(file);
  };
}

/** Says why the process did not start. Never throws. */
export function tellFailure(path: string | undefined, reason: string): void {
  if (path === undefined) return;
  try {
    const file = openSync(path, 'r+');
    writeSync(file, scrubText(`Cannot start the sidecar: ${reason}`).slice(0, MOST_CHARS));
    closeSync(file);
  } catch {
    // The log has said it.
  }
}

function openFile(path: string, logger: Logger): number | undefined {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    logger.warn('Cannot open the termination message: what is not delivered is told by this log alone', {
      path,
      error,
    });
    return undefined;
  }
}

function remaining(states: readonly TargetState[], before: ReadonlyMap<string, number>): TargetRemainder[] {
  return states.map(({ name, waiting, dropped }) => ({
    name,
    waiting,
    dropped: Math.max(0, (dropped.shutdown ?? 0) - (before.get(name) ?? 0)),
  }));
}
