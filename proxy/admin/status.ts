/** What this proxy says of itself: one value, read by every endpoint about us. */
import type { CompiledConfig } from '#contract/compiled.ts';
import type { Problem } from '#contract/finding.ts';
import type { RevisionReport } from '#contract/revision-report.ts';
import type { TargetState } from '../log/targets/target.ts';

export class ProxyStatus {
  readonly #targets: () => readonly TargetState[];
  #config: CompiledConfig | undefined;
  #problems: readonly Problem[] = [];
  #draining = false;

  /** @param targets how the log targets of the config in force do */
  constructor(targets: () => readonly TargetState[] = () => []) {
    this.#targets = targets;
  }

  /** A config is in force. */
  accepted(config: CompiledConfig): void {
    this.#config = config;
    this.#problems = [];
  }

  /** A config was refused; the one in force stays. */
  refused(problems: readonly Problem[]): void {
    this.#problems = problems;
  }

  drain(): void {
    this.#draining = true;
  }

  get revision(): string {
    return this.#config?.revision ?? '';
  }

  /** Listener and a valid config, and we are not stopping; never an upstream's health. */
  get ready(): boolean {
    return this.#config !== undefined && !this.#draining;
  }

  get state(): 'ready' | 'waiting_for_config' | 'draining' {
    if (this.#draining) return 'draining';
    return this.#config ? 'ready' : 'waiting_for_config';
  }

  /** Body of /revision: what the operator compares with what it delivered. */
  describe(): RevisionReport & Record<string, unknown> {
    const config = this.#config;
    return {
      revision: config?.revision ?? null,
      generation: config?.generation ?? null,
      name: config?.name ?? null,
      namespace: config?.namespace ?? null,
      problems: this.#problems,
      failingTargets: this.#targets().flatMap(({ name, state, error }) =>
        state === 'ok' ? [] : [{ name, error: error ?? 'unknown' }],
      ),
    };
  }

  /** Every log target, with its counts. */
  get targets(): readonly TargetState[] {
    return this.#targets();
  }
}
