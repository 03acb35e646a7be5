/** The parts of a pod that injection reads; all else is carried untouched. */
import type { ObjectMeta } from '#contract/resources.ts';

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: unknown;
}

export interface Container {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly env?: readonly EnvVar[];
  readonly envFrom?: readonly unknown[];
  readonly resources?: { readonly limits?: Readonly<Record<string, unknown>> };
  readonly [field: string]: unknown;
}

export interface Pod {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Partial<ObjectMeta>;
  readonly spec: {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly { readonly name: string; readonly [field: string]: unknown }[];
    readonly hostNetwork?: boolean;
    readonly hostPID?: boolean;
    readonly shareProcessNamespace?: boolean;
    readonly os?: { readonly name?: string };
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}
