/** A log target of the test's own, on this machine, at an address that pods reach: down until it is started, and again when stopped. */
import { freePort } from '../log-targets/free-port.ts';
import { type Receiver, type StoredRecord, startReceiver } from '../log-targets/receiver.ts';
import { numberOf } from '../spool-load.ts';
import type { Installed } from './installed.ts';

export interface Store {
  /** For `http.url` of a target. */
  readonly url: string;
  /** From now on it takes records. */
  up(): Promise<void>;
  /** What it took, by the exchange's number; throws when two records are of one exchange. */
  byNumber(): Map<number, StoredRecord>;
  end(): Promise<void>;
}

/** Chooses its port; until `up` nobody listens there. */
export async function downStore({ cluster }: Installed): Promise<Store> {
  const host = cluster.outerAddress;
  if (host === undefined) throw new Error('Cannot keep a log target where pods reach it: the cluster is not our own');
  const port = await freePort();
  const closers: (() => unknown)[] = [];
  let receiver: Receiver | undefined;
  return {
    url: `http://${host}:${port}/records`,
    up: async () => {
      receiver = await startReceiver({ after: (close) => void closers.push(close as () => unknown) }, { host, port });
    },
    byNumber: () => {
      const found = new Map<number, StoredRecord>();
      for (const record of receiver?.stored.values() ?? []) {
        const { target } = record['request'] as { readonly target: string };
        const number = numberOf(target);
        if (found.has(number)) throw new Error(`Exchange ${number} has two records`);
        found.set(number, record);
      }
      return found;
    },
    end: async () => {
      for (const close of closers) await close();
    },
  };
}
