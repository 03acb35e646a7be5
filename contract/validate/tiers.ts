/** Rule about spec.routes[].match.tiers: every tier that a route names is there. */
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';

export function validateTiers({ routes, tiers = [] }: StreamProxy['spec']): Finding[] {
  const known = tiers.map((tier) => tier.name);
  return routes.flatMap((route, index) =>
    (route.match?.tiers ?? []).flatMap((name, place): Finding[] =>
      known.includes(name)
        ? []
        : [
            {
              kind: 'reference',
              reason: CONDITION_REASONS.tierNotFound,
              path: `spec.routes[${index}].match.tiers[${place}]`,
              message: `"${name}" is no entry of spec.tiers; ${wayOut(known)}.`,
              part: { kind: 'route', name: route.name },
            },
          ],
    ),
  );
}

function wayOut(known: readonly string[]): string {
  return known.length === 0 ? 'add it there' : `use one of ${known.map((k) => `"${k}"`).join(', ')}, or add it there`;
}
