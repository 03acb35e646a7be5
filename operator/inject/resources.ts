/** The sidecar's resources: the chart's, with those of the StreamProxy in their place. */
import { compareQuantities } from '#contract/quantity.ts';
import type { StreamProxy } from '#contract/resources.ts';

type Sidecar = NonNullable<StreamProxy['spec']['sidecar']>;
type Quantities = Readonly<Record<string, string>>;

export interface Resources {
  readonly requests: Quantities;
  readonly limits: Quantities;
}

/**
 * What the StreamProxy gives counts. Where a value of the chart's would contradict it (a request above the given limit, a
 * limit below the given request), it becomes equal to what is given, as every pod would be refused otherwise.
 * A limit without a request is a request as well: the API server's defaulting has run before injection.
 */
export function sidecarResources(chart: Resources, own: Sidecar['resources']): Resources {
  const given = { requests: defined(own?.requests), limits: defined(own?.limits) };
  return {
    requests: { ...given.limits, ...fitted(chart.requests, given.limits, 'at most'), ...given.requests },
    limits: { ...fitted(chart.limits, given.requests, 'at least'), ...given.limits },
  };
}

/** The chart's values, each brought to the bound that is given for it. */
function fitted(values: Quantities, bounds: Quantities, kind: 'at most' | 'at least'): Quantities {
  const entries = Object.entries(values).map(([name, value]): [string, string] => {
    const bound = bounds[name];
    if (bound === undefined) return [name, value];
    const excess = compareQuantities(value, bound) * (kind === 'at most' ? 1 : -1);
    return [name, excess > 0 ? bound : value];
  });
  return Object.fromEntries(entries);
}

function defined(values: Readonly<Record<string, string | undefined>> = {}): Quantities {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
