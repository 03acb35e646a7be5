/**
 * A reference receiver for the `http` target, as docs/log-targets.md describes one: verifies the signature over the bytes as
 * they came, keeps each record once, in its newest state, and answers only when it has it. Keeps records in memory where a real one has a database.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { SelfSigned } from '../self-signed.ts';

export interface StoredRecord {
  readonly id: string;
  readonly [member: string]: unknown;
}

/** One request as it came. */
export interface Delivery {
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly status: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What the receiver does instead of its work; or nothing at all. */
export type Fault = Answer | 'hang';

export interface Receiver {
  readonly url: string;
  /** By id: a record that comes twice is here once, and of its states the one with the highest sequence. */
  readonly stored: ReadonlyMap<string, StoredRecord>;
  readonly deliveries: readonly Delivery[];
  /** Resolves when the next request has been read whole. */
  asked(): Promise<unknown>;
  /** Looks at each batch first; undefined: goes on as usual. */
  fault: (records: readonly StoredRecord[]) => Fault | undefined;
  /** Given to every request instead, whatever it holds. */
  answer: Answer | undefined;
  /** Closes every connection and listens no more. */
  stop(): Promise<void>;
}

export interface ReceiverOptions {
  /** @default any free one */
  readonly port?: number;
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** The signing key's bytes; absent: signatures are not asked for. */
  readonly key?: Buffer;
  /** Value that the authorization header must have. */
  readonly authorization?: string;
  readonly tls?: SelfSigned;
}

/** Signatures older or newer than this are refused, so that a request that was overheard cannot be sent again later. */
const TOLERANCE_S = 300;

export async function startReceiver(t: Pick<TestContext, 'after'>, options: ReceiverOptions = {}): Promise<Receiver> {
  const stored = new Map<string, StoredRecord>();
  const deliveries: Delivery[] = [];
  let asked = Promise.withResolvers<void>();
  const receiver: Pick<Receiver, 'fault' | 'answer'> = { fault: () => undefined, answer: undefined };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void take(request).then((verdict) => {
      if (verdict === 'hang') return;
      response.writeHead(verdict.status, verdict.headers).end(verdict.body);
    });
  };
  const take = async (request: IncomingMessage): Promise<Fault> => {
    const body = await buffer(request).catch(() => undefined);
    // Its connection broke in the middle of it: nobody waits for an answer.
    if (body === undefined) return 'hang';
    const verdict = judge(request, body);
    deliveries.push({ headers: request.headers, body, status: verdict === 'hang' ? 0 : verdict.status });
    asked.resolve();
    asked = Promise.withResolvers();
    return verdict;
  };
  const judge = (request: IncomingMessage, body: Buffer): Fault => {
    const { authorization, key } = options;
    if (receiver.answer !== undefined) return receiver.answer;
    if (authorization !== undefined && request.headers.authorization !== authorization) return { status: 401 };
    if (key !== undefined && !isSigned(request.headers, body, key)) return { status: 401 };
    const records = readRecords(request.headers, body);
    if (records === undefined) return { status: 400 };
    const fault = receiver.fault(records);
    if (fault !== undefined) return fault;
    for (const record of records) {
      const known = stored.get(record.id);
      if (known === undefined || sequenceOf(known) < sequenceOf(record)) stored.set(record.id, record);
    }
    return { status: 204 };
  };
  const server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  const { host = '127.0.0.1' } = options;
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    server.closeAllConnections();
    await promisify(server.close.bind(server))();
  };
  t.after(stop);
  const { port } = server.address() as AddressInfo;
  const url = `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}/records`;
  return Object.assign(receiver, { url, stored, deliveries, asked: () => asked.promise, stop });
}

function sequenceOf({ sequence }: StoredRecord): number {
  return typeof sequence === 'number' ? sequence : 0;
}

/** Over `id.timestamp.body`; compared in constant time. */
function isSigned(headers: IncomingMessage['headers'], body: Buffer, key: Buffer): boolean {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    String(headers[name] ?? ''),
  ) as [string, string, string];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_S)) return false;
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  return signatures.split(' ').some((signature) => {
    const got = Buffer.from(signature.replace(/^v1,/, ''), 'base64');
    return got.length === expected.length && timingSafeEqual(got, expected);
  });
}

function readRecords(headers: IncomingMessage['headers'], body: Buffer): StoredRecord[] | undefined {
  try {
    const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
    const text = new TextDecoder('utf-8', { fatal: true }).decode(plain);
    if (headers['content-type'] === 'application/json') return [JSON.parse(text) as StoredRecord].flat();
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as StoredRecord]));
  } catch {
    return undefined;
  }
}
