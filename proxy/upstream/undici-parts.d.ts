/** The parts of undici that are loaded by path: the whole package costs 12 MiB more, for a fetch that is never used. */
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}
declare module 'undici/lib/core/connect.js' {
  export { buildConnector as default } from 'undici';
}
