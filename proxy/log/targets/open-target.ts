/** One target of this machine (stdout, file) -> the live target. */
import type { CompiledTarget } from '#contract/compiled.ts';
import type { SpooledTarget } from '#contract/compiled-targets.ts';
import type { Metrics } from '../../observe/meters.ts';
import { FileSink } from './file.ts';
import { openStdout } from './stdout.ts';
import { InvalidTarget, type LineSink, QueuedTarget, type Target, type TargetServices } from './target.ts';

export interface TargetOptions {
  readonly stateDirectory: string;
  /** Whether the state directory is ours, and not another process's. */
  readonly mayWrite: () => boolean;
  /** Most bytes that may wait for this target. */
  readonly queueBytes: number;
  readonly services: TargetServices & { readonly metrics: Pick<Metrics, 'forgetTarget'> };
}

/** Targets past this machine get their records from the spool. */
export type LocalTarget = Exclude<CompiledTarget, SpooledTarget>;

export const QUEUE_RECORDS = 10_000;

/** @param after must have happened before the first write, as the target before may still write to the same place */
export function openTarget(target: LocalTarget, options: TargetOptions, after: Promise<void>): Target {
  const { stateDirectory, mayWrite, queueBytes, services } = options;
  const limits = { bytes: queueBytes, records: QUEUE_RECORDS };
  switch (target.kind) {
    case 'invalid':
      return new InvalidTarget(target.name, target.message, services);
    case 'stdout':
      return new QueuedTarget(target.name, held(openStdout(), after), limits, services);
    case 'file': {
      const sink = new FileSink({ stateDirectory, path: target.path, maxBytes: target.maxBytes });
      return new QueuedTarget(
        target.name,
        held(ownFolder(sink, mayWrite), after),
        { ...limits, batchBytes: target.maxBytes },
        services,
      );
    }
  }
}

/** Two processes that append to one file would rename it under each other. */
function ownFolder(sink: LineSink, mayWrite: () => boolean): LineSink {
  return {
    write: (lines) => {
      if (mayWrite()) return sink.write(lines);
      return Promise.reject(new Error('Another process has the state directory; give each a directory of its own'));
    },
    close: () => sink.close(),
  };
}

function held(sink: LineSink, after: Promise<void>): LineSink {
  return {
    async write(lines) {
      await after;
      await sink.write(lines);
    },
    close: () => sink.close(),
  };
}
