/** A failure of the disk for people: what SQLite or the file system says, and what may be done about it. */

const FREE_SPACE = 'free space on that volume, or make it larger';
const LOOK_AT_VOLUME = 'look whether the volume is read-only or failing';
const WRITABLE = 'mount the volume so that it can be written';
const OWNER = 'let the user of this process write there';

const SQLITE_WAYS_OUT: ReadonlyMap<number, string> = new Map([
  [5, 'look for another process that has the file'], // BUSY
  [8, WRITABLE], // READONLY
  [10, LOOK_AT_VOLUME], // IOERR
  [13, FREE_SPACE], // FULL
  [14, 'look whether its folder is there and can be written'], // CANTOPEN
]);
const SYSTEM_WAYS_OUT: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', FREE_SPACE],
  ['EDQUOT', FREE_SPACE],
  ['EROFS', WRITABLE],
  ['EIO', LOOK_AT_VOLUME],
  ['EACCES', OWNER],
  ['EPERM', OWNER],
]);

/** @param said the error as it may be shown. @default its message */
export function diskProblem(error: unknown, said = error instanceof Error ? error.message : String(error)): string {
  const way = wayOutOf(error);
  return way === undefined ? said : `${said}; ${way}`;
}

function wayOutOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('errcode' in error && typeof error.errcode === 'number') return SQLITE_WAYS_OUT.get(error.errcode & 0xff);
  return 'code' in error && typeof error.code === 'string' ? SYSTEM_WAYS_OUT.get(error.code) : undefined;
}
