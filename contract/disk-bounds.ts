/** What bounds the files of a sidecar's state directory beside the bounds that the resource sets: proxy/log keeps to them. */

const MIB = 1024 ** 2;

/** What SQLite may leave in a log of changes that was written back; a single transaction may make it longer meanwhile. */
export const SPOOL_CHANGES_BYTES = 8 * MIB;
export const AUDIT_CHANGES_BYTES = 4 * MIB;
/** Damaged files that are kept for people, beside the one in use. */
export const DAMAGED_SPOOLS = 2;
export const DAMAGED_AUDITS = 1;
/** No journal of open exchanges becomes longer. */
export const JOURNAL_BYTES = 64 * MIB;
/** Newest records of the streams that run; one more may be being written. */
export const PARTIALS_BYTES = 64 * MIB;
/** Bodies that all exchanges together may hold. */
export const CAPTURE_BYTES = 64 * MIB;
