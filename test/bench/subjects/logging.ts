/** Sluice with the log on and off: what records past this machine cost the streams, and how many go there. */
import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StreamProxy } from '../../../contract/resources.ts';
import { type PostgresServer, postgresPrograms, startPostgres } from '../../support/log-targets/postgres-server.ts';
import { RECEIVER, STORE } from '../log-counts.ts';
import { acceptsSoon } from '../probe.ts';
import { freePort, raiseSession, startBeside } from '../processes.ts';
import { BUNDLED, prepareBundle } from './ours.ts';
import { sluiceCommand, usualSpec } from './sluice-command.ts';
import type { Place, Subject } from './subject.ts';

type Logging = NonNullable<StreamProxy['spec']['logging']>;
type Targets = NonNullable<Logging['targets']>;

const SECRETS = 'bench';
const WRITER = 'bench';
const PASSWORD = 'not-a-secret';
const CAPTURE: NonNullable<Logging['capture']> = {
  redact: [
    { header: 'x-user-email' },
    { jsonPath: '$.metadata.user_id' },
    { pattern: '[0-9]{16}' },
    { pattern: '[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+' },
  ],
};

export const sluiceUnlogged: Subject = {
  name: 'sluice-unlogged',
  prepare: prepareBundle,
  command: (place) => sluiceCommand(place, usualSpec(place, { logging: { targets: [] } }), BUNDLED),
};

export const sluiceLogging = loggingInto('sluice-logging', { receiver: 'answers' });
export const sluiceOneHangs = loggingInto('sluice-one-hangs', { receiver: 'hangs' });

/** One row of the saturation curve: so many exchanges offered each second. */
export function offered(answersPerSecond: number): Subject {
  return { ...loggingInto(`${answersPerSecond}/s`, {}), plan: { answersPerSecond } };
}

/** @param beside what the receiver does; absent: PostgreSQL is the only target */
function loggingInto(name: string, beside: { readonly receiver?: 'answers' | 'hangs' }): Subject {
  return {
    name,
    countsLog: true,
    prepare: prepareWithPostgres,
    command: async (place) => {
      const ends: (() => Promise<void>)[] = [];
      const close = async (): Promise<void> => {
        for (const end of ends.toReversed()) await end();
      };
      try {
        const targets: Targets = [];
        const { server, remove } = await openStore();
        ends.push(remove);
        targets.push({ name: STORE, postgres: { dsn: { secret: { name: SECRETS, key: 'dsn' } } } });
        if (beside.receiver !== undefined) {
          const receiver = await openReceiver(beside.receiver);
          ends.push(receiver.stop);
          targets.push({ name: RECEIVER, http: { url: receiver.url } });
        }
        return { ...(await commandWith(place, targets, server)), close };
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

function commandWith(place: Place, targets: Targets, server: PostgresServer): ReturnType<typeof sluiceCommand> {
  const dsn = server.dsn(WRITER, PASSWORD, '?sslmode=disable');
  const spec = usualSpec(place, { logging: { capture: CAPTURE, targets } });
  return sluiceCommand(place, spec, BUNDLED, { [SECRETS]: { dsn } });
}

async function prepareWithPostgres(log: (line: string) => void): Promise<string | undefined> {
  const programs = await postgresPrograms().catch(() => undefined);
  if (programs === undefined) {
    log('Leaving out the log with PostgreSQL: install the Debian package postgresql first');
    return undefined;
  }
  return prepareBundle(log);
}

/** A server as people run it: what it says is kept is on the disk. Ctrl-C ends it too, and leaves nothing behind. */
async function openStore(): Promise<{ server: PostgresServer; remove: () => Promise<void> }> {
  const programs = await postgresPrograms();
  if (programs === undefined) throw new Error('Cannot find PostgreSQL: install the Debian package postgresql');
  const server = await startPostgres(programs, { fsync: 'on' });
  await server.query(`create role ${WRITER} login password '${PASSWORD}'`);
  await server.query(`grant all on schema public to ${WRITER}`);
  const [row] = await server.query('show data_directory');
  const data = String(row?.['data_directory']);
  const folder = dirname(data);
  raiseSession(Number.parseInt(await readFile(join(data, 'postmaster.pid'), 'utf8'), 10));
  const killed = (): void => {
    void server.stop();
    removeWhileItEnds(folder);
  };
  process.once('exit', killed);
  const remove = async (): Promise<void> => {
    process.off('exit', killed);
    await server.remove();
  };
  return { server, remove };
}

/** The server still writes for a moment; nothing can be awaited at this process's exit. */
function removeWhileItEnds(folder: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 1; attempt <= 40; attempt++) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch {
      Atomics.wait(pause, 0, 0, 50);
    }
  }
}

async function openReceiver(behaviour: 'answers' | 'hangs'): Promise<{ url: string; stop: () => Promise<void> }> {
  const port = await freePort();
  const program = join(import.meta.dirname, '../receiver.ts');
  const running = startBeside([process.execPath, program, String(port), behaviour]);
  await acceptsSoon(port).catch(async (error: unknown) => {
    await running.stop();
    throw error;
  });
  return { url: `http://127.0.0.1:${port}/records`, stop: () => running.stop() };
}
