/** A PostgreSQL server of one test file: its own folder, its own port, password and TLS on, ended with the test. */
import { execFile } from 'node:child_process';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type SelfSigned, selfSigned } from '../self-signed.ts';
import { programFrom } from './debian-package.ts';
import { freePort } from './free-port.ts';
import { ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const ADMIN_PASSWORD = 'admin-of-a-test';

export interface PostgresServer {
  readonly port: number;
  readonly tls: SelfSigned;
  /** As the user `postgres`, who may do everything. */
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Connection string. */
  dsn(user: string, password: string, parameters?: string): string;
  start(): Promise<unknown>;
  /** Ends it as a crash would: every connection breaks. */
  stop(): Promise<void>;
  /** Its processes stand still. */
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

/** Folder of the server's programs; undefined when they cannot be had on this machine. */
export async function postgresPrograms(): Promise<string | undefined> {
  const program = await programFrom('postgresql', '/usr/lib/postgresql/*/bin/postgres');
  return program === undefined ? undefined : dirname(program);
}

/**
 * Makes a cluster and starts it.
 * @param programs of postgresPrograms()
 * @param own settings that go before those of a test, `fsync` being off there
 */
export async function startPostgres(
  programs: string,
  own: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const port = await freePort();
  const { folder, data, owner, tls } = await makeCluster(programs);
  const base = { ssl: 'on', fsync: 'off', listen_addresses: '127.0.0.1', unix_socket_directories: '', port };
  const settings = { ...base, ...own };
  const server = new ServerProcess({
    command: join(programs, 'postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    ready: /ready to accept connections/,
    options: { cwd: folder, ...owner },
    // The processes of its connections.
    group: true,
  });
  await server.start();
  return {
    port,
    tls,
    query: (sql: string, values: readonly unknown[] = []) => query(port, sql, values),
    dsn: (user, password, parameters = '') =>
      `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres${parameters}`,
    start: () => server.start(),
    // Immediate shutdown: it ends its children and itself.
    stop: () => server.stop('SIGQUIT'),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    async remove() {
      await server.stop('SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Cluster {
  readonly folder: string;
  readonly data: string;
  /** The server refuses to run as root. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly tls: SelfSigned;
}

async function makeCluster(programs: string): Promise<Cluster> {
  const owner = await unprivileged();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-postgres-'));
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  const own = async (path: string): Promise<void> => {
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  };
  await writeFile(passwordFile, ADMIN_PASSWORD);
  await own(folder);
  await own(passwordFile);
  const rights = ['-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  const form = ['-E', 'UTF8', '--locale=C', '--no-sync'];
  await run(join(programs, 'initdb'), ['-D', data, ...rights, ...form], { cwd: folder, ...owner });
  const tls = selfSigned();
  for (const [name, text] of Object.entries({ 'server.crt': tls.cert, 'server.key': tls.key })) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await own(join(data, name));
  }
  return { folder, data, owner, tls };
}

async function unprivileged(): Promise<Cluster['owner']> {
  if (process.getuid?.() !== 0) return undefined;
  const ids = ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout));
  const [uid = 0, gid = 0] = await Promise.all(ids);
  return { uid, gid };
}

async function query(port: number, sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
  const place = { host: '127.0.0.1', port, database: 'postgres' };
  const client = new pg.Client({ ...place, user: 'postgres', password: ADMIN_PASSWORD });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}
