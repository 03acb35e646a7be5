/** Watches the sidecar's /revision from inside the pod, where both clocks are the node's. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface RevisionSeen {
  readonly revision: string;
  /** Wall clock in milliseconds since the epoch. */
  readonly atMs: number;
}

const EVERY_MS = 10;

/** Calls `onChange` for the first revision and each one that differs from the last, until the process is ended. */
export async function watchRevision(onChange: (seen: RevisionSeen) => void, port = 9019): Promise<never> {
  let last = '';
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/revision`);
    const { revision } = (await response.json()) as { revision: string };
    if (revision !== last) onChange({ revision, atMs: Date.now() });
    last = revision;
    await sleep(EVERY_MS);
  }
}
