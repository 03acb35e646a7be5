/** Where kept records lie. Apart from the database, so that asking for it loads none. */

/** Below the state directory. */
export const AUDIT_FOLDER = 'audit';
export const AUDIT_FILE = 'audit.db';
