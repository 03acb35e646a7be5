/**
 * What a sidecar may put on its node's disk at most: the one place where all of its own bounds meet. A pod whose containers have
 * limits of ephemeral storage is evicted when all that it has on disk exceeds their sum, the sidecar's state included.
 */
import { compileLogging } from './compile/logging.ts';
import {
  AUDIT_CHANGES_BYTES,
  CAPTURE_BYTES,
  DAMAGED_AUDITS,
  DAMAGED_SPOOLS,
  JOURNAL_BYTES,
  PARTIALS_BYTES,
  SPOOL_CHANGES_BYTES,
} from './disk-bounds.ts';
import type { StreamProxy } from './resources.ts';

const MIB = 1024 ** 2;

/** A record without its bodies. */
const HEAD_BYTES = MIB;
/** A body's byte as JSON writes it at worst, and how often a record may hold it: request, answer, and the answer assembled. */
const ESCAPED_BYTES = 6;
const COPIES = 3;
/** Tables without rows, ids of refused records, pages that are not full. */
const DATABASE_BYTES = 2 * MIB;
/** A container's output, which the kubelet keeps in five files of 10Mi unless it is told otherwise. */
const OUTPUT_BYTES = 64 * MIB;

export interface DiskShares {
  /** The one in use and damaged ones. */
  readonly spool: number;
  readonly archive: number;
  /** Of `file` targets, each with the one before it. */
  readonly files: number;
  readonly journal: number;
  /** Of running streams. */
  readonly partials: number;
  readonly output: number;
}

/** Bytes that each part takes at most. */
export function diskShares(spec: StreamProxy['spec']): DiskShares {
  const { maxBodyBytes, spoolBytes, audit, targets, partialsEveryMs } = compileLogging(spec, []);
  const record = HEAD_BYTES + COPIES * ESCAPED_BYTES * Math.min(maxBodyBytes, CAPTURE_BYTES);
  // The newest record is taken whatever its size, and what makes room for it is written down in the same transaction.
  const spool = Math.max(spoolBytes, record) + DATABASE_BYTES + SPOOL_CHANGES_BYTES + 2 * record;
  const archive = audit === undefined ? 0 : audit.maxBytes + DATABASE_BYTES + AUDIT_CHANGES_BYTES + 2 * record;
  const files = targets.reduce((sum, target) => sum + (target.kind === 'file' ? 2 * target.maxBytes + record : 0), 0);
  return {
    spool: spool * (1 + DAMAGED_SPOOLS),
    archive: archive * (1 + DAMAGED_AUDITS),
    files,
    journal: JOURNAL_BYTES,
    partials: partialsEveryMs === undefined ? 0 : PARTIALS_BYTES + record,
    output: OUTPUT_BYTES,
  };
}

/** Bytes of the state directory, and of the container's own output. */
export function diskBytesAtMost(spec: StreamProxy['spec']): number {
  const { spool, archive, files, journal, partials, output } = diskShares(spec);
  return spool + archive + files + journal + partials + output;
}

/** The same as a quantity of Kubernetes, in whole Mi. */
export function diskAtMost(spec: StreamProxy['spec']): string {
  return `${Math.ceil(diskBytesAtMost(spec) / MIB)}Mi`;
}
