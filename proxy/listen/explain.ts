/** `sluice-route`, `sluice-upstream`, `sluice-attempts`: headers that tell a caller how its request was served (listen.explain). */
import type { CompiledListen } from '#contract/compiled.ts';
import type { IncomingRequest } from './incoming.ts';

/** How an exchange was served, as far as it came. */
export interface Trace {
  route?: string;
  upstream?: string;
  attempts?: number;
}

/** @returns names and values alternating */
export function explain(incoming: IncomingRequest, trace: Trace, { explain: mode }: CompiledListen): string[] {
  if (mode === 'never' || (mode === undefined && !incoming.explain)) return [];
  const headers: string[] = [];
  if (trace.route !== undefined) headers.push('sluice-route', trace.route);
  if (trace.upstream !== undefined) headers.push('sluice-upstream', trace.upstream);
  if (trace.attempts !== undefined) headers.push('sluice-attempts', String(trace.attempts));
  return headers;
}
