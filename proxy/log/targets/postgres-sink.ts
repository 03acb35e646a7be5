/** The `postgres` target: batches copied into a table, each record once, in its newest state. */
import type { PostgresTarget } from '#contract/compiled.ts';
import { NO_WAY } from '../../unreachable.ts';
import { PostgresConnection, type PostgresOptions } from './postgres-connection.ts';
import { parseDsn } from './postgres-dsn.ts';
import { explain, NoConnectionError, postgresPlace } from './postgres-errors.ts';
import { copyRows } from './postgres-row.ts';
import { type RecordSink, RefusedError, type SinkRecord } from './sink.ts';
import { type Credentials, credentialValue, trust } from './target-credentials.ts';

const MIB = 1024 ** 2;

/** @throws Error when the connection string is missing or cannot be read */
export function openPostgresSink(target: PostgresTarget, credentials: Credentials): RecordSink {
  const { table, timeoutMs, dsnFile } = target;
  const dsn = parseDsn(credentialValue(dsnFile, credentials));
  return new PostgresSink({ dsn, table, timeoutMs, ...trust(target, credentials) });
}

class PostgresSink implements RecordSink {
  readonly batch = { records: 500, bytes: 8 * MIB };
  readonly #options: PostgresOptions;
  #connection: PostgresConnection | undefined;

  constructor(options: PostgresOptions) {
    this.#options = options;
  }

  async write(records: readonly SinkRecord[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const rows = copyRows(records);
    const { dsn, timeoutMs } = this.#options;
    const limit = AbortSignal.timeout(timeoutMs);
    const either = AbortSignal.any([signal, limit]);
    try {
      if (this.#connection?.broken !== false) this.#connection = await PostgresConnection.open(this.#options, either);
      const replacing = records.some(({ sequence = 0 }) => sequence > 0);
      await this.#insert(this.#connection, rows, replacing, either);
    } catch (error) {
      signal.throwIfAborted();
      const late = `within the target's timeout of ${timeoutMs} ms`;
      if (error instanceof NoConnectionError)
        throw new Error(`Cannot reach ${postgresPlace(dsn)}: no connection ${late}; ${NO_WAY}`);
      if (limit.aborted)
        throw new Error(
          `${postgresPlace(dsn)} did not take the records ${late}; look at the server, or raise the target's timeout`,
        );
      throw this.#explain(error);
    }
  }

  close(): Promise<void> {
    this.#connection?.cut();
    this.#connection = undefined;
    return Promise.resolve();
  }

  #explain(error: unknown): Error {
    return explain(error, this.#options.dsn, this.#options.ca !== undefined);
  }

  async #insert(connection: PostgresConnection, rows: Buffer, replacing: boolean, signal: AbortSignal): Promise<void> {
    try {
      await connection.insert(rows, replacing, signal);
    } catch (error) {
      if (this.#explain(error) instanceof RefusedError) await connection.rollBack(signal);
      else connection.cut();
      throw error;
    }
  }
}
