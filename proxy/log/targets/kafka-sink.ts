/**
 * The `kafka` target: a message for each record, keyed by its id alone, acknowledged by every replica in sync: states of one record
 * lie in one partition in their order, and a compacted topic keeps the newest.
 */
import { isIP } from 'node:net';
import { type BaseOptions, ProduceAcks, Producer } from '@platformatic/kafka';
import type { KafkaTarget } from '#contract/compiled.ts';
import { explainKafka, kafkaPlace } from './kafka-errors.ts';
import type { RecordSink, SinkRecord } from './sink.ts';
import { type Credentials, credentialValue, trust } from './target-credentials.ts';

/** Brokers refuse batches beyond 1 MiB (message.max.bytes) unless told otherwise; a longer record may fit compressed. */
const BATCH = { records: 500, bytes: 900 * 1024 };
/** Most failures are repeated by the spool; these are about metadata that has just become stale. */
const RETRIES = 1;
const RETRY_DELAY_MS = 200;

type KafkaProducer = Producer<Buffer, Buffer, Buffer, Buffer>;

/** @throws Error when a credential is missing */
export function openKafkaSink(target: KafkaTarget, credentials: Credentials): RecordSink {
  return new KafkaSink(target, {
    clientId: 'sluice',
    bootstrapBrokers: [...target.brokers],
    timeout: target.timeoutMs,
    connectTimeout: target.timeoutMs,
    requestTimeout: target.timeoutMs,
    retries: RETRIES,
    retryDelay: RETRY_DELAY_MS,
    ...tlsOptions(target, credentials),
    ...saslOptions(target, credentials),
  });
}

class KafkaSink implements RecordSink {
  readonly batch = BATCH;
  readonly #target: KafkaTarget;
  readonly #options: BaseOptions;
  #producer: KafkaProducer | undefined;

  constructor(target: KafkaTarget, options: BaseOptions) {
    this.#target = target;
    this.#options = options;
  }

  async write(records: readonly SinkRecord[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { topic, timeoutMs } = this.#target;
    const limit = AbortSignal.timeout(timeoutMs);
    const producer = (this.#producer ??= new Producer<Buffer, Buffer, Buffer, Buffer>(this.#options));
    const messages = records.map(({ id, json }) => ({ topic, key: Buffer.from(id), value: json }));
    try {
      const sending = producer.send({ messages, acks: ProduceAcks.ALL, compression: 'zstd' });
      await orAborted(sending, AbortSignal.any([signal, limit]));
    } catch (error) {
      // The client cannot be told to stop: it is left to itself, and the next write has a new one.
      await this.close();
      signal.throwIfAborted();
      if (limit.aborted)
        throw new Error(
          `${kafkaPlace(this.#target)} did not take the records within the target's timeout of ${timeoutMs} ms; look at the brokers, or raise the target's timeout`,
        );
      throw explainKafka(error, this.#target);
    }
  }

  close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    void producer?.close(true).catch(() => undefined);
    return Promise.resolve();
  }
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    // What comes of it later is of no interest.
    work.catch(() => undefined);
  }
}

function tlsOptions(target: KafkaTarget, credentials: Credentials): Pick<BaseOptions, 'tls' | 'tlsServerName'> {
  if (!target.tls) return {};
  // Brokers behind one address are told apart by name; an address is no name (RFC 6066, section 3).
  const named = target.brokers.some((broker) => isIP(broker.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')) === 0);
  return { tls: { rejectUnauthorized: true, ...trust(target, credentials) }, tlsServerName: named };
}

function saslOptions({ sasl }: KafkaTarget, credentials: Credentials): Pick<BaseOptions, 'sasl'> {
  if (sasl === undefined) return {};
  return {
    sasl: {
      mechanism: sasl.mechanism,
      username: credentialValue(sasl.usernameFile, credentials),
      password: credentialValue(sasl.passwordFile, credentials),
    },
  };
}
