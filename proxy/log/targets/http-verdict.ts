/** What an answer's status means for the records that were sent: taken, refused for good, or to be repeated. */
import type { HttpReply } from './http.ts';
import { BusyError, RefusedError } from './sink.ts';

/** Statuses that speak of the content; every other 4xx speaks of the address, the credential or the moment. */
const REFUSED = new Set([400, 409, 413, 422]);
const BUSY = new Set([429, 503]);

const ADVICE: Readonly<Record<number, string>> = {
  404: "check the path of the target's url",
  405: "check the path of the target's url",
  415: "check the target's format and gzip",
};

export interface Sender {
  /** Of who answered, for the message; the answer's own words are not repeated, as they may quote the records. */
  readonly origin: string;
  /** Fields of the target that say who we are to the receiver. */
  readonly proofs: readonly string[];
  /** Statuses that refuse the content for good. @default 400, 409, 413 and 422 */
  readonly refused?: ReadonlySet<number>;
}

/** @throws RefusedError, BusyError, or an Error after which the batch is to be repeated */
export function judgeReply({ status, header }: HttpReply, { origin, proofs, refused = REFUSED }: Sender): void {
  if (status >= 200 && status < 300) return;
  if (refused.has(status)) throw new RefusedError(`"${origin}" refused the records with status ${status}`);
  if (BUSY.has(status)) {
    throw new BusyError(`"${origin}" asks to wait with status ${status}`, retryAfterMs(header('retry-after')));
  }
  if (status >= 300 && status < 400) {
    throw new Error(
      `Cannot deliver to "${origin}": it answered ${status}, and redirects are not followed; write the address that it leads to`,
    );
  }
  const advice = status === 401 || status === 403 ? letIn(status, proofs) : ADVICE[status];
  throw new Error(`Cannot deliver to "${origin}": it answered ${status}${advice === undefined ? '' : `; ${advice}`}`);
}

function letIn(status: 401 | 403, proofs: readonly string[]): string {
  if (proofs.length === 0) return "it wants a credential; name one under the target's `credential`";
  return `check ${proofs.join(' and ')}${status === 403 ? ', and what it may do' : ''}`;
}

/** RFC 9110, section 10.2.3: seconds, or a date. How much of it is believed is for whoever waits. */
export function retryAfterMs(value: string | undefined, nowEpochMs: number = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^[0-9]+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - nowEpochMs;
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
