/** The metric of requests that met a limit of the resource. */
import { Counter, type Registry } from 'prom-client';
import type { BoundedLabel } from './labels.ts';
import type { Metrics } from './meters.ts';

export function limitMetrics(registry: Registry, names: BoundedLabel): Pick<Metrics, 'limited'> {
  const refused = new Counter({
    name: 'sluice_limited_total',
    help: 'Requests that were answered 503 because a limit on exchanges in flight was met: of the listener, or of an upstream.',
    labelNames: ['limit', 'upstream'],
    registers: [registry],
  });
  refused.inc({ limit: 'listen', upstream: names.value(undefined) }, 0);
  return {
    limited(upstream) {
      refused.inc({ limit: upstream === undefined ? 'listen' : 'upstream', upstream: names.value(upstream) });
    },
  };
}
