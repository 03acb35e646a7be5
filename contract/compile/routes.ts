/** spec.routes -> compiled routes, in order. */
import type { CompiledMatch, CompiledRoute } from '../compiled.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import { parseDurationMs } from '../units.ts';
import { compilePacing, compileToolLoop } from './tool-loop.ts';

type Spec = StreamProxy['spec'];
type Route = Spec['routes'][number];

const DEFAULT_WITHIN_MS = 120_000;
const DEFAULT_KEEP_ALIVE_MS = 15_000;

export function compileRoutes(spec: Spec, findings: readonly Finding[]): CompiledRoute[] {
  return spec.routes.map((route) => {
    const match = compileMatch(route.match ?? {}, spec.tiers ?? []);
    const broken = findings.find((f) => f.part.kind === 'route' && f.part.name === route.name);
    if (broken) return { kind: 'invalid', name: route.name, message: `${broken.path}: ${broken.message}`, match };
    return {
      kind: 'valid',
      name: route.name,
      match,
      split: route.upstreams.map((u) => ({
        upstream: u.name,
        weight: u.weight ?? 1,
        ...(u.model && { model: u.model }),
      })),
      ...(route.sticky && { stickyHeader: route.sticky.header.toLowerCase() }),
      fallback: (route.fallback ?? []).map((u) => ({ upstream: u.name, ...(u.model && { model: u.model }) })),
      ...(route.toolLoop && { toolLoop: compileToolLoop(route.toolLoop) }),
      ...(route.pacing && { pacing: compilePacing(route.pacing) }),
      retry: {
        attemptsPerUpstream: route.retry?.attemptsPerUpstream ?? 1,
        withinMs: parseDurationMs(route.retry?.within ?? '120s') ?? DEFAULT_WITHIN_MS,
      },
      ...(route.rewrite && { rewritePrefix: route.rewrite.prefix }),
      ...(route.keepAlive && { keepAliveMs: parseDurationMs(route.keepAlive.after) ?? DEFAULT_KEEP_ALIVE_MS }),
    };
  });
}

type Tiers = NonNullable<Spec['tiers']>;

function compileMatch(match: NonNullable<Route['match']>, tiers: Tiers): CompiledMatch {
  const tierModels = compileTiers(match.tiers ?? [], tiers);
  return {
    paths: (match.paths ?? []).map((path) =>
      path.endsWith('*') ? { kind: 'prefix', path: path.slice(0, -1) } : { kind: 'exact', path },
    ),
    models: match.models ?? [],
    ...(tierModels.length > 0 && { tierModels }),
    agents: match.agents ?? [],
    headers: (match.headers ?? []).map((header) => ({ name: header.name.toLowerCase(), values: header.values ?? [] })),
  };
}

/** A tier that nobody knows may stand for any model: the route, invalid by then, must not let its requests go elsewhere. */
function compileTiers(named: readonly string[], tiers: Tiers): string[] {
  const found = named.map((name) => tiers.find((tier) => tier.name === name));
  return found.includes(undefined) ? [] : [...new Set(found.flatMap((tier) => tier?.models ?? []))];
}
