/** The rollouts of all StreamProxies, with one bound for all that is asked at the same time. */
import { createLimiter } from '../limiter.ts';
import type { Key } from '../watch/key.ts';
import type { PodFacts } from '../watch/pod-facts.ts';
import { type Answer, askRevision } from './ask.ts';
import { type PodState, Rollout } from './rollout.ts';

const ASKED_AT_ONCE = 64;

export interface ConfirmationsOptions {
  /** Called with the key of each StreamProxy whose picture changed. */
  readonly onChange: (key: Key) => void;
  readonly ask?: (pod: PodFacts, signal: AbortSignal) => Promise<Answer>;
}

export class Confirmations {
  readonly #rollouts = new Map<Key, Rollout>();
  readonly #stopping = new AbortController();
  readonly #limit = createLimiter(ASKED_AT_ONCE);
  readonly #options: Required<ConfirmationsOptions>;

  constructor({ onChange, ask = askRevision }: ConfirmationsOptions) {
    this.#options = { onChange, ask };
  }

  /** What is known of the sidecars; without having been tracked, nothing. */
  states(key: Key): PodState[] {
    return this.#rollouts.get(key)?.states() ?? [];
  }

  /** Says which sidecars shall run which revision, and goes on asking until they do. @returns what is known of them now */
  track(key: Key, revision: string, pods: readonly PodFacts[]): PodState[] {
    const rollout = this.#rollouts.get(key) ?? this.#start(key);
    rollout.track(revision, pods);
    return rollout.states();
  }

  forget(key: Key): void {
    this.#rollouts.get(key)?.close();
    this.#rollouts.delete(key);
  }

  /** Every sidecar of every StreamProxy, for metrics. */
  all(): PodState[] {
    return [...this.#rollouts.values()].flatMap((rollout) => rollout.states());
  }

  stop(): void {
    this.#stopping.abort(new Error('The operator stops'));
    for (const key of this.#rollouts.keys()) this.forget(key);
  }

  #start(key: Key): Rollout {
    const rollout = new Rollout({
      ask: (pod) => this.#limit(() => this.#options.ask(pod, this.#stopping.signal)),
      onChange: () => this.#options.onChange(key),
    });
    this.#rollouts.set(key, rollout);
    return rollout;
  }
}
