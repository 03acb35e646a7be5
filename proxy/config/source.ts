/**
 * Where configuration comes from, as a stream of events: a mounted directory in a pod (directorySource below), a YAML file
 * in file mode. A source never throws for bad content: it says `rejected` with every problem, and goes on watching.
 */
import type { CompiledConfig } from '#contract/compiled.ts';
import type { Problem } from '#contract/finding.ts';

export interface LoadedConfig {
  readonly config: CompiledConfig;
  /** File name → its value: bare credentials, and PEM bundles named by `caFile`. Never logged. */
  readonly credentials: ReadonlyMap<string, string>;
}

export type ConfigEvent =
  | {
      readonly kind: 'loaded';
      readonly loaded: LoadedConfig;
      /** Whoever made the source has said already which parts are invalid. */
      readonly told?: boolean;
    }
  | { readonly kind: 'rejected'; readonly problems: readonly Problem[] };

export interface ConfigSource {
  /** Says at once what is there now (an absent config is `rejected`), then one event for each change, until `signal` aborts. */
  events(signal: AbortSignal): AsyncIterable<ConfigEvent>;
}
