/** Rules about spec.routes: every upstream named is there, and speaks a dialect that the route's clients can be served in. */
import { CONDITION_REASONS } from '../conditions.ts';
import { type Dialect, dialectOfPath, isServable } from '../dialect.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';

type Spec = StreamProxy['spec'];
type Route = Spec['routes'][number];

export function validateRoutes(spec: Spec): Finding[] {
  const dialects = new Map(spec.upstreams.map((upstream) => [upstream.name, upstream.dialect]));
  return spec.routes.flatMap((route, index) => {
    const named = [
      ...route.upstreams.map((u, i) => ({ name: u.name, path: `spec.routes[${index}].upstreams[${i}].name` })),
      ...(route.fallback ?? []).map((u, i) => ({ name: u.name, path: `spec.routes[${index}].fallback[${i}].name` })),
    ];
    const part = { kind: 'route', name: route.name } as const;
    return named.flatMap(({ name, path }): Finding[] => {
      const dialect = dialects.get(name);
      if (dialect === undefined) return [{ ...unknownUpstream(name, [...dialects.keys()]), path, part }];
      const unserved = provenPaths(route).find((proven) => !isServable(proven.dialect, dialect, proven.path));
      if (unserved === undefined) return [];
      return [{ ...untranslated(route, unserved, name, dialect), path, part }];
    });
  });
}

function unknownUpstream(name: string, known: string[]): Omit<Finding, 'path' | 'part'> {
  return {
    kind: 'reference',
    reason: CONDITION_REASONS.upstreamNotFound,
    message: `"${name}" is no entry of spec.upstreams; use one of ${known.map((k) => `"${k}"`).join(', ')}, or add it there.`,
  };
}

function untranslated(
  route: Route,
  client: ProvenPath,
  name: string,
  upstream: Dialect,
): Omit<Finding, 'path' | 'part'> {
  return {
    kind: 'value',
    reason: CONDITION_REASONS.translationUnsupported,
    message:
      `Route "${route.name}" takes "${client.path}", which upstream "${name}" (${upstream}) cannot serve: nothing translates ` +
      `that path; send it to an ${client.dialect} upstream by a route of its own, or match other paths.`,
  };
}

interface ProvenPath {
  readonly path: string;
  readonly dialect: Dialect;
}

/**
 * The paths of the route that prove a dialect; a prefix that covers several proves none, nor does a path that both dialects
 * have, unless the route asks for the header that tells them apart.
 */
function provenPaths(route: Route): ProvenPath[] {
  const versioned = route.match?.headers?.some(({ name }) => name.toLowerCase() === 'anthropic-version') ?? false;
  return (route.match?.paths ?? []).flatMap((pattern) => {
    // A prefix covers the translated path as well as others below it, which get their 501 one by one.
    const path = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern;
    const dialect = dialectOfPath(path, true);
    return versioned || dialect === dialectOfPath(path, false) ? [{ path, dialect }] : [];
  });
}
