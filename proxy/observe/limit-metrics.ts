/** The metrics of requests that met a limit: one of the resource, or that of records of strangers. */
import { Counter, type Registry } from 'prom-client';
import type { BoundedLabel } from './labels.ts';
import type { Metrics } from './meters.ts';

export function limitMetrics(registry: Registry, names: BoundedLabel): Pick<Metrics, 'limited' | 'unrecorded'> {
  const refused = new Counter({
    name: 'sluice_limited_total',
    help: 'Requests that were answered 503 because a limit on exchanges in flight was met: of the listener, or of an upstream.',
    labelNames: ['limit', 'upstream'],
    registers: [registry],
  });
  refused.inc({ limit: 'listen', upstream: names.value(undefined) }, 0);
  const unrecorded = new Counter({
    name: 'sluice_unrecorded_total',
    help: 'Requests that a gateway turned away (401, 403) without making a record of them, as more came than are recorded.',
    registers: [registry],
  });
  return {
    unrecorded: () => unrecorded.inc(),
    limited(upstream) {
      refused.inc({ limit: upstream === undefined ? 'listen' : 'upstream', upstream: names.value(upstream) });
    },
  };
}
