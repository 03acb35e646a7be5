/** The sidecar of a pod as the kubelet tells of it and as it tells of itself. */
import type { Kubectl } from './kubectl.ts';
import type { Scene } from './scene.ts';
import { until } from './wait.ts';

interface PodObject {
  readonly status: {
    readonly phase: string;
    readonly reason?: string;
    readonly initContainerStatuses?: readonly SidecarStatus[];
  };
}

export interface SidecarStatus {
  readonly name: string;
  readonly containerID: string;
  readonly restartCount: number;
  readonly ready: boolean;
  readonly lastState: { readonly terminated?: { readonly reason: string; readonly exitCode: number } };
}

export async function sidecarStatus(kubectl: Kubectl, stage: Scene, pod: string): Promise<SidecarStatus> {
  const { status } = await kubectl.get<PodObject>(['-n', stage.namespace, 'pod', pod]);
  const sidecar = status.initContainerStatuses?.find(({ name }) => name === 'sluice');
  if (sidecar === undefined) throw new Error(`Pod "${pod}" has no sidecar that the kubelet knows of`);
  return sidecar;
}

/** Waits until the kubelet has started the sidecar's next container and it is ready. */
export function sidecarRestarted(kubectl: Kubectl, stage: Scene, pod: string, restarts = 1): Promise<SidecarStatus> {
  return until(`the sidecar of pod ${pod} to be ready again`, async () => {
    const status = await sidecarStatus(kubectl, stage, pod);
    return status.restartCount >= restarts && status.ready ? status : undefined;
  });
}

/** Values of one metric of the sidecar, by their labels as they are written, such as `{target="store"}`. */
export async function sidecarMetric(
  kubectl: Kubectl,
  stage: Scene,
  pod: string,
  name: string,
): Promise<Record<string, number>> {
  const text = await kubectl.do([
    'get',
    '--raw',
    `/api/v1/namespaces/${stage.namespace}/pods/${pod}:9019/proxy/metrics`,
  ]);
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(name.length, at), Number(line.slice(at + 1))];
    }),
  );
}
