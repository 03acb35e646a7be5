/** One connection to PostgreSQL that can be cut at any moment, and a batch written over it. */
import { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Dsn } from './postgres-dsn.ts';
import { NoConnectionError, PostgresSetupError, sqlState } from './postgres-errors.ts';
import {
  addColumns,
  beginBatch,
  COPY_BATCH,
  createTable,
  insertBatch,
  LOCK_SCHEMA,
  lacksColumns,
  READ_COLUMNS,
} from './postgres-schema.ts';

export interface PostgresOptions {
  readonly dsn: Dsn;
  readonly table: string;
  readonly timeoutMs: number;
  /** PEM bundle to trust instead of the public authorities; also asks for TLS where the connection string is silent. */
  readonly ca?: string;
}

export class PostgresConnection {
  readonly #options: PostgresOptions;
  readonly #socket = new Socket();
  readonly #client: Client;
  #broken = false;

  private constructor(options: PostgresOptions) {
    this.#options = options;
    const { host, port, user, password, database, options: settings } = options.dsn;
    this.#client = new Client({
      host,
      port,
      user,
      // As a function, so that neither the environment nor a password file is asked.
      password: () => password,
      database,
      ssl: tlsOptions(options),
      stream: () => this.#socket,
      keepAlive: true,
      application_name: 'sluice',
      ...(settings !== undefined && { options: settings }),
    });
    this.#client.on('error', () => {
      this.#broken = true;
    });
  }

  /** Connects and sees to the table. @param signal cuts the connection, as long as this works */
  static async open(options: PostgresOptions, signal: AbortSignal): Promise<PostgresConnection> {
    const connection = new PostgresConnection(options);
    await connection.#cuttable(signal, async () => {
      await connection.#connect(signal);
      await connection.#seeToTable();
    });
    return connection;
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** Inserts what is not there yet, all or nothing. @param rows as COPY_BATCH takes them @param replacing older states, too */
  async insert(rows: Buffer, replacing: boolean, signal: AbortSignal): Promise<void> {
    await this.#cuttable(signal, async () => {
      await this.#client.query(beginBatch(this.#options.timeoutMs));
      const copy = this.#client.query(copyFrom(COPY_BATCH));
      copy.end(rows);
      await finished(copy);
      await this.#client.query(insertBatch(this.#options.table, replacing));
    });
  }

  /** Makes the connection usable again after a statement was refused. */
  async rollBack(signal: AbortSignal): Promise<void> {
    await this.#cuttable(signal, () => this.#client.query('rollback'));
  }

  cut(): void {
    this.#broken = true;
    this.#socket.destroy();
  }

  async #cuttable(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    const cut = (): void => this.cut();
    signal.throwIfAborted();
    signal.addEventListener('abort', cut, { once: true });
    try {
      await work();
    } catch (error) {
      // What the server refused leaves the connection as it was.
      if (sqlState(error) === undefined) this.cut();
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  /** @throws NoConnectionError when the signal came first */
  async #connect(signal: AbortSignal): Promise<void> {
    let reached = false;
    this.#socket.once('connect', () => {
      reached = true;
    });
    try {
      await this.#client.connect();
    } catch (error) {
      throw signal.aborted && !reached ? new NoConnectionError() : error;
    }
  }

  async #seeToTable(): Promise<void> {
    const { table } = this.#options;
    if (!lacksColumns(await this.#columns())) return;
    try {
      await this.#client.query('begin');
      await this.#client.query(LOCK_SCHEMA, [table]);
      const present = await this.#columns();
      const statement = present.size === 0 ? createTable(table) : addColumns(table, present);
      if (lacksColumns(present)) await this.#change(statement);
      await this.#client.query('commit');
    } catch (error) {
      this.cut();
      throw error;
    }
  }

  async #change(statement: string): Promise<void> {
    try {
      await this.#client.query(statement);
    } catch (error) {
      if (sqlState(error) !== '42501') throw error;
      const { table } = this.#options;
      const grant = `grant select, insert on "${table}" to the user of the connection string`;
      throw new PostgresSetupError(
        `Cannot prepare table "${table}": the user may not. Have somebody who may run: ${statement}; and ${grant}`,
      );
    }
  }

  async #columns(): Promise<Set<string>> {
    const { rows } = await this.#client.query<{ name: string }>(READ_COLUMNS, [this.#options.table]);
    return new Set(rows.map(({ name }) => name));
  }
}

function tlsOptions({ dsn, ca }: PostgresOptions) {
  const mode = dsn.tls ?? (ca === undefined ? 'off' : 'full');
  if (mode === 'off') return false;
  return {
    // The name that the certificate is verified for; without it an address would be taken for "localhost".
    host: dsn.host,
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca }),
    ...(mode === 'authority' && { checkServerIdentity: () => undefined }),
  };
}
