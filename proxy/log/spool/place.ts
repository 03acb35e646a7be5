/** Where the spool lies. Apart from the database, so that asking for it loads none. */

/** Below the state directory. */
export const SPOOL_FOLDER = 'spool';
export const SPOOL_FILE = 'spool.db';
