/** A StreamProxy, a route and the weights wanted → the JSON patch that sets them, or what is wrong. Pure. */
import type { Problem } from '#contract/finding.ts';
import type { StreamProxy } from '#contract/resources.ts';

type Split = StreamProxy['spec']['routes'][number]['upstreams'];

/** RFC 6902. */
export type PatchOperation =
  | { readonly op: 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'replace'; readonly path: string; readonly value: unknown };

export type Plan =
  | { readonly kind: 'patch'; readonly before: Split; readonly after: Split; readonly patch: readonly PatchOperation[] }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/**
 * Upstreams of the route that are not named get weight 0 and stay, so that the way back is the same command.
 * @param weights by upstream; at least one above 0
 */
export function planRollout({ spec }: StreamProxy, route: string, weights: ReadonlyMap<string, number>): Plan {
  const index = spec.routes.findIndex(({ name }) => name === route);
  const found = spec.routes[index];
  const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
  if (!found) {
    const message = `"${route}" is no route of the StreamProxy; use one of ${quoted(spec.routes.map(({ name }) => name))}`;
    return { kind: 'problems', problems: [{ path: '--route', message }] };
  }
  const known = spec.upstreams.map(({ name }) => name);
  const problems = [...weights.keys()]
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: '--to', message: `"${name}" is no entry of spec.upstreams; use one of ${quoted(known)}` }));
  if (![...weights.values()].some((weight) => weight > 0)) {
    problems.push({ path: '--to', message: 'No weight is above 0; the route would have nowhere to go' });
  }
  if (problems.length > 0) return { kind: 'problems', problems };
  const kept = found.upstreams.map((choice) => ({ ...choice, weight: weights.get(choice.name) ?? 0 }));
  const added = [...weights].filter(([name]) => !kept.some((choice) => choice.name === name));
  const after = [...kept, ...added.map(([name, weight]) => ({ name, weight }))];
  const path = `/spec/routes/${index}`;
  return {
    kind: 'patch',
    before: found.upstreams,
    after,
    patch: [
      // Refused as a whole if somebody changed the routes in between.
      { op: 'test', path: `${path}/name`, value: route },
      { op: 'test', path: `${path}/upstreams`, value: found.upstreams },
      { op: 'replace', path: `${path}/upstreams`, value: after },
    ],
  };
}

/** `green=100,blue=0` → weights. */
export function parseWeights(text: string): { weights: ReadonlyMap<string, number>; problems: readonly Problem[] } {
  const weights = new Map<string, number>();
  const problems: Problem[] = [];
  for (const entry of text.split(',')) {
    const [, name = '', weight = ''] = /^([a-z0-9-]+)=([0-9]{1,4})$/.exec(entry.trim()) ?? [];
    if (name !== '' && Number(weight) <= 1000) weights.set(name, Number(weight));
    else
      problems.push({
        path: '--to',
        message: `Cannot use "${entry}"; write NAME=WEIGHT from 0 to 1000, such as green=100`,
      });
  }
  return { weights, problems };
}
