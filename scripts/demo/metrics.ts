/** The stream-latency part of a sidecar's /metrics, as the demo prints it. */
import type { Kubectl } from '../../test/support/cluster/kubectl.ts';

const SHOWN = [
  'sluice_exchanges_total',
  'sluice_time_to_first_byte_seconds',
  'sluice_time_to_first_token_seconds',
  'sluice_inter_token_seconds',
  'sluice_stream_duration_seconds',
  'sluice_proxy_overhead_seconds',
  'sluice_active_streams',
];

/** Reads the pod's metrics through the API server's proxy, less the single buckets. */
export async function demoMetrics(kubectl: Kubectl, namespace: string, pod: string): Promise<string> {
  const text = await kubectl.do(['get', '--raw', `/api/v1/namespaces/${namespace}/pods/${pod}:9019/proxy/metrics`]);
  const isShown = (line: string): boolean => SHOWN.some((name) => line.startsWith(name)) && !line.includes('_bucket{');
  return text.split('\n').filter(isShown).join('\n');
}
