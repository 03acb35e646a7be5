/** Numbered exchanges of an application in a pod: what its client saw of each. */
import { type Followed, followLines } from './follow.ts';
import type { Kubectl } from './kubectl.ts';
import type { Scene } from './scene.ts';
import { CLIENT } from './streams.ts';

/** Of `client exchanges`, see test/support/pod-client/exchanges.ts. */
export interface ExchangeOptions {
  readonly from: number;
  readonly count: number;
  readonly lanes?: number;
  readonly promptBytes?: number;
  readonly model: string;
  readonly leaveOpen?: boolean;
}

/** Numbers of exchanges, by what the client saw of them last. */
export class SeenExchanges {
  readonly whole = new Set<number>();
  /** Refused, cut, or never answered. */
  readonly broken = new Set<number>();
  /** Answering, and not ended. */
  readonly open = new Set<number>();

  /** Every number that was sent, in order. */
  get sent(): number[] {
    return [...this.whole, ...this.broken, ...this.open].sort((a, b) => a - b);
  }

  hear(line: string): void {
    const { n, event, whole } = JSON.parse(line) as { n: number; event: 'answering' | 'ended'; whole?: boolean };
    if (event === 'answering') this.open.add(n);
    else {
      this.open.delete(n);
      (whole ? this.whole : this.broken).add(n);
    }
  }
}

/** Runs them to their end. */
export async function exchanges(stage: Scene, pod: string, options: ExchangeOptions): Promise<SeenExchanges> {
  const seen = new SeenExchanges();
  const output = await stage.exec(pod, command(options));
  for (const line of output.split('\n')) if (line.startsWith('{')) seen.hear(line);
  return seen;
}

export interface RunningExchanges {
  readonly seen: SeenExchanges;
  /** Reads on until the condition holds. */
  until(reached: (seen: SeenExchanges) => boolean): Promise<void>;
  /** Reads until every exchange has ended. */
  ended(): Promise<void>;
}

/** Starts them and comes back at once. */
export function startExchanges(
  kubectl: Kubectl,
  stage: Scene,
  pod: string,
  options: ExchangeOptions,
): RunningExchanges {
  const exec = ['-n', stage.namespace, 'exec', pod, '-c', 'app', '--'];
  const running: Followed = followLines([...kubectl.command, ...exec, ...command(options)]);
  const seen = new SeenExchanges();
  const closed = new Promise<number | null>((resolve) => running.child.once('close', resolve));
  const until: RunningExchanges['until'] = async (reached) => {
    while (!reached(seen)) seen.hear(await running.next());
  };
  return {
    seen,
    until,
    ended: async () => {
      // The stream of lines ends by an error; how the program ended says whether all of them were there.
      await until(() => false).catch(() => undefined);
      const code = await closed;
      if (code !== 0) throw new Error(`The exchanges in pod "${pod}" ended with code ${code}: ${running.complaint()}`);
    },
  };
}

function command(options: ExchangeOptions): string[] {
  const { from, count, lanes = 1, promptBytes = 1000, model, leaveOpen = false } = options;
  const numbers = ['--from', String(from), '--count', String(count), '--lanes', String(lanes)];
  const shape = ['--prompt-bytes', String(promptBytes), '--model', model, ...(leaveOpen ? ['--leave-open'] : [])];
  return [...CLIENT, 'exchanges', ...numbers, ...shape];
}
