/**
 * Proves that pods are injected: a pod is created as a dry run, in our own namespace against a profile of its own, and must
 * come back with the sidecar. The API server takes policies up with a delay, so that installed does not mean in force.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { INJECT_ANNOTATION, MANAGED_BY, MANAGED_BY_LABEL, SIDECAR_CONTAINER } from '#contract/names.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { KINDS, type KubeObject } from '../cluster/kinds.ts';
import { describeError } from '../errors.ts';
import type { Pod } from './pod.ts';
import { profileSpec, type SidecarSettings } from './sidecar.ts';

/** Name of the profile, and of the pod that never comes to be. */
export const SELF_TEST = 'sluice-self-test';
const EVERY_MS = { whileFailing: 1000, onceFine: 30_000 };

export interface SelfTestOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly sidecar: SidecarSettings;
}

export class SelfTest {
  #problem: string | undefined = 'Injection has not been tried yet.';
  readonly #options: SelfTestOptions;

  constructor(options: SelfTestOptions) {
    this.#options = options;
  }

  /** Why pods are not injected; undefined when they are. */
  problem(): string | undefined {
    return this.#problem;
  }

  /** Tries now and then, until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const problem = await this.#tryOnce(signal);
      if (signal.aborted) return;
      this.#problem = problem;
      const delayMs = problem === undefined ? EVERY_MS.onceFine : EVERY_MS.whileFailing;
      await pause(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #tryOnce(signal: AbortSignal): Promise<string | undefined> {
    const { cluster, namespace, sidecar } = this.#options;
    try {
      const name = { namespace, name: SELF_TEST };
      // Every replica may write it, leader or not: it says the same in all of one version.
      if (this.#problem !== undefined || !(await cluster.getMetadata(KINDS.sidecarProfile, name, signal))) {
        await cluster.apply(KINDS.sidecarProfile, selfTestProfile(namespace, sidecar), signal);
      }
      const pod = await cluster.create(KINDS.pod, selfTestPod(namespace, sidecar.image), signal, true);
      const [first] = (pod as unknown as Pod).spec.initContainers ?? [];
      if (first?.name === SIDECAR_CONTAINER) return undefined;
      return 'A pod that asks for a sidecar comes back without: the admission policy is missing, or not in force yet.';
    } catch (error) {
      return `Injection cannot be tried: ${describeError(error)}`;
    }
  }
}

function selfTestProfile(namespace: string, sidecar: SidecarSettings): KubeObject {
  const metadata = { name: SELF_TEST, namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } };
  const spec = profileSpec(sidecar, { metadata, spec: { upstreams: [], routes: [] } });
  return { metadata, spec };
}

/** Fit for Pod Security `restricted` and for a namespace with a quota. */
function selfTestPod(namespace: string, image: string): KubeObject {
  return {
    metadata: { name: SELF_TEST, namespace, annotations: { [INJECT_ANNOTATION]: SELF_TEST } },
    spec: {
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image,
          resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
}
