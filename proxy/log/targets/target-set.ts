/** The targets of the config in force. A reload keeps what did not change, opens what is new and drains what is gone. */
import type { CompiledTarget } from '#contract/compiled.ts';
import type { Metrics } from '../../observe/meters.ts';
import { openTarget, type TargetOptions } from './open-target.ts';
import type { Target } from './target.ts';

/** How long a removed target may still write what it has. */
const DRAIN_MS = 10_000;

interface Live {
  readonly config: CompiledTarget;
  readonly target: Target;
}

export class TargetSet {
  #live: readonly Live[] = [];
  #targets: readonly Target[] = [];
  /** Targets that are being drained; a new one writes only when they are done. */
  readonly #draining = new Set<Promise<void>>();

  get targets(): readonly Target[] {
    return this.#targets;
  }

  configure(configs: readonly CompiledTarget[], options: TargetOptions): void {
    const before = [...this.#live];
    const kept = configs.map((config) => {
      const index = before.findIndex((live) => sameTarget(live.config, config));
      return index === -1 ? undefined : before.splice(index, 1)[0];
    });
    for (const live of before) this.#drain(live, options.services.metrics);
    const after = Promise.all(this.#draining).then(() => {});
    this.#live = configs.map((config, i) => kept[i] ?? { config, target: openTarget(config, options, after) });
    this.#targets = this.#live.map(({ target }) => target);
  }

  async close(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#draining, ...this.#targets.map((target) => target.close(signal, 'shutdown'))]);
  }

  #drain({ config, target }: Live, metrics: Pick<Metrics, 'forgetTarget'>): void {
    const drained = target.close(AbortSignal.timeout(DRAIN_MS), 'removed').finally(() => {
      this.#draining.delete(drained);
      if (!this.#live.some((live) => live.config.name === config.name)) metrics.forgetTarget(config.name);
    });
    this.#draining.add(drained);
  }
}

/** Configs are plain data in a fixed order of members, as compile writes them. */
function sameTarget(a: CompiledTarget, b: CompiledTarget): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
