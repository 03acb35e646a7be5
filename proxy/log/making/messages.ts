/** What the log and the thread that makes records say to each other. */
import { createHash } from 'node:crypto';
import type { ArrivalsSoFar } from '../arrivals.ts';
import type { CapturedBody } from '../capture.ts';
import type { FactsSoFar } from '../exchange-facts.ts';
import type { ReadTokens } from './make-line.ts';

export interface MakerRequest {
  readonly jobs: readonly MakerJob[];
  /** The bodies of all of them. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

interface MakerJob {
  readonly ticket: number;
  readonly facts: Omit<FactsSoFar, 'requestBody' | 'responseBody' | 'arrivals'>;
  readonly requestBody: PackedBody;
  readonly responseBody: PackedBody;
  readonly arrivals: ArrivalsSoFar | undefined;
}

interface PackedBody {
  readonly sizeBytes: number;
  /** Where its kept bytes begin, and how many they are. */
  readonly from: number;
  readonly keptBytes: number;
  /** Absent: all of it was kept, and tells its digest. */
  readonly sha256?: string;
}

export type MakerReply = readonly MakerAnswer[];

export type MakerAnswer =
  | {
      readonly ticket: number;
      readonly kind: 'made';
      readonly line: Uint8Array<ArrayBuffer>;
      readonly tokens?: ReadTokens;
    }
  | { readonly ticket: number; readonly kind: 'failed'; readonly message: string };

export function packedBytes({ requestBody, responseBody }: FactsSoFar): number {
  return requestBody.keptBytes + responseBody.keptBytes;
}

/** Copies the bodies: whoever asks keeps its own until it has the answer. */
export function packJobs(tickets: ReadonlyMap<number, FactsSoFar>): MakerRequest {
  const lengthBytes = [...tickets.values()].reduce((sum, facts) => sum + packedBytes(facts), 0);
  const bytes = new Uint8Array(new ArrayBuffer(lengthBytes));
  let at = 0;
  const packed = (body: CapturedBody): PackedBody => {
    const { sizeBytes, keptBytes } = body;
    const from = at;
    body.copyTo(bytes, from);
    at += keptBytes;
    return { sizeBytes, from, keptBytes, ...(keptBytes < sizeBytes && { sha256: body.sha256() }) };
  };
  const jobs = Array.from(tickets, ([ticket, { requestBody, responseBody, arrivals, ...facts }]) => ({
    ticket,
    facts,
    requestBody: packed(requestBody),
    responseBody: packed(responseBody),
    arrivals: arrivals?.soFar(),
  }));
  return { jobs, bytes };
}

/** @param bytes of the request that the job came with */
export function unpackJob(
  { facts, requestBody, responseBody, arrivals }: MakerJob,
  bytes: Uint8Array<ArrayBuffer>,
): FactsSoFar {
  return {
    ...facts,
    requestBody: unpackedBody(requestBody, bytes),
    responseBody: unpackedBody(responseBody, bytes),
    arrivals: { soFar: () => arrivals },
  };
}

function unpackedBody({ sizeBytes, from, keptBytes, sha256 }: PackedBody, all: Uint8Array<ArrayBuffer>): CapturedBody {
  const bytes = Buffer.from(all.buffer, all.byteOffset + from, keptBytes);
  return {
    sizeBytes,
    keptBytes,
    bytes: () => bytes,
    sha256: () => sha256 ?? createHash('sha256').update(bytes).digest('hex'),
    copyTo: (target, at) => target.set(bytes, at),
  };
}
