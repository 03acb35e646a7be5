/** What the cluster shows of records that ended pods left behind: events on the StreamProxy, and the operator's count. */
import { type Installed, SYSTEM_NAMESPACE } from './installed.ts';
import type { Scene } from './scene.ts';
import { until } from './wait.ts';

export interface ProxyEvent {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly kind: string; readonly name: string };
  readonly related?: { readonly kind: string; readonly name: string; readonly uid: string };
}

interface OperatorPod {
  metadata: { name: string; deletionTimestamp?: string };
  spec: { containers: { ports?: { name: string; containerPort: number }[] }[] };
}

export interface RemainderView {
  /** Events on the StreamProxy with that reason. */
  events(reason: string): Promise<ProxyEvent[]>;
  /** Waits for the event with that reason that is about the pod. */
  eventOf(pod: string, reason: string): Promise<ProxyEvent>;
  /** The count of the operator that runs, by target. */
  counted(): Promise<Record<string, number>>;
}

const METRIC = 'sluice_operator_undelivered_records_total';

export function remainderView({ kubectl }: Installed, { namespace }: Scene, proxy: string): RemainderView {
  const events = async (reason: string): Promise<ProxyEvent[]> => {
    const { items } = await kubectl.get<{ items: ProxyEvent[] }>(['-n', namespace, 'events.events.k8s.io']);
    const isOurs = ({ regarding }: ProxyEvent): boolean => regarding.kind === 'StreamProxy' && regarding.name === proxy;
    return items.filter((event) => isOurs(event) && event.reason === reason);
  };
  const series = new RegExp(
    `^${METRIC}\\{streamproxy_namespace="${namespace}",streamproxy="${proxy}",target="([^"]+)"\\} (\\d+)$`,
    'gm',
  );
  return {
    events,
    eventOf: (pod, reason) =>
      until(`an event about ${pod}`, async () => (await events(reason)).find(({ related }) => related?.name === pod)),
    counted: async () => {
      const selection = ['-l', 'app.kubernetes.io/name=sluice', '--field-selector=status.phase=Running'];
      const { items } = await kubectl.get<{ items: OperatorPod[] }>(['-n', SYSTEM_NAMESPACE, 'pods', ...selection]);
      const operator = items.find(({ metadata }) => metadata.deletionTimestamp === undefined);
      const port = operator?.spec.containers[0]?.ports?.find(({ name }) => name === 'metrics')?.containerPort;
      const path = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/pods/${operator?.metadata.name}:${port}/proxy/metrics`;
      const text = await kubectl.do(['get', '--raw', path]);
      return Object.fromEntries([...text.matchAll(series)].map(([, target, value]) => [target, Number(value)]));
    },
  };
}
