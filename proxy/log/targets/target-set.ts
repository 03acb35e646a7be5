/** The targets of the config in force. A reload keeps what did not change, opens what is new and drains what is gone. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledTarget } from '#contract/compiled.ts';
import { isSpooled, targetFiles } from '#contract/compiled-targets.ts';
import type { Metrics } from '../../observe/meters.ts';
import { DRAIN_MS, tellLeaving } from '../drain.ts';
import type { SpoolConfig } from '../spool/messages.ts';
import { SPOOL_FILE, SPOOL_FOLDER } from '../spool/place.ts';
import { Spool } from '../spool/spool.ts';
import { type LocalTarget, openTarget, type TargetOptions } from './open-target.ts';
import type { Target, TargetState } from './target.ts';

interface Live {
  readonly config: LocalTarget;
  readonly target: Target;
}

export interface TargetSetOptions extends TargetOptions {
  /** Bounds of the spool, and the files that targets name. */
  readonly spool: Omit<SpoolConfig, 'targets'>;
  readonly services: TargetOptions['services'] & { readonly metrics: Metrics };
}

export class TargetSet {
  #live: readonly Live[] = [];
  #targets: readonly Target[] = [];
  /** Stands for all network targets together, those that cannot work at the moment included. */
  #spool: Spool | undefined;
  /** Targets that are being drained; a new one writes only when they are done. */
  readonly #draining = new Set<Promise<void>>();

  get targets(): readonly Target[] {
    return this.#targets;
  }

  configure(configs: readonly CompiledTarget[], options: TargetSetOptions): void {
    const local = configs.filter((config) => !isSpooled(config)) as readonly LocalTarget[];
    const before = [...this.#live];
    const kept = local.map((config) => {
      const index = before.findIndex((live) => sameTarget(live.config, config));
      return index === -1 ? undefined : before.splice(index, 1)[0];
    });
    for (const live of before) this.#drain(live, options.services);
    const after = Promise.all(this.#draining).then(() => {});
    this.#live = local.map((config, i) => kept[i] ?? { config, target: openTarget(config, options, after) });
    this.#targets = [...this.#live.map(({ target }) => target), ...this.#configureSpool(configs, options)];
  }

  states(): TargetState[] {
    return this.#targets.flatMap((target) => target.states());
  }

  async close(signal: AbortSignal): Promise<void> {
    const spool = this.#spool && !this.#targets.includes(this.#spool) ? [this.#spool] : [];
    const closing = [...this.#targets, ...spool].map((target) => target.close(signal, 'shutdown'));
    await Promise.all([...this.#draining, ...closing]);
  }

  /** @returns the spool, if it has any target */
  #configureSpool(configs: readonly CompiledTarget[], options: TargetSetOptions): Target[] {
    const { stateDirectory, services } = options;
    const targets = configs.filter(isSpooled);
    const wanted = targets.length > 0;
    // The thread gets the keys of its targets, and none of the upstreams'.
    const files = new Set(targets.flatMap(targetFiles));
    const credentials = new Map([...options.spool.credentials].filter(([file]) => files.has(file)));
    const config: SpoolConfig = { ...options.spool, targets, credentials };
    if (this.#spool !== undefined) this.#spool.configure(config);
    // A file that an earlier process left is opened without targets, too: what waits in it is accounted for.
    else if (wanted || existsSync(join(stateDirectory, SPOOL_FOLDER, SPOOL_FILE))) {
      const isLocal = (name: string): boolean => this.#live.some((live) => live.config.name === name);
      this.#spool = new Spool(config, { stateDirectory, services: { ...services, isLocal } });
    }
    return wanted && this.#spool !== undefined ? [this.#spool] : [];
  }

  #drain({ config, target }: Live, { metrics, logger }: TargetSetOptions['services']): void {
    for (const { name, waiting } of target.states()) tellLeaving(logger, name, waiting);
    const drained = target.close(AbortSignal.timeout(DRAIN_MS), 'removed').finally(() => {
      this.#draining.delete(drained);
      if (!this.states().some(({ name }) => name === config.name)) metrics.forgetTarget(config.name);
    });
    this.#draining.add(drained);
  }
}

/** Configs are plain data in a fixed order of members, as compile writes them. */
function sameTarget(a: CompiledTarget, b: CompiledTarget): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
