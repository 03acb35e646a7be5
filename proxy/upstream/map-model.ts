/** What an upstream calls the model that the client asked for. */
import { globMatches } from '../route/match.ts';
import type { Candidate, Plan } from './choose.ts';

/** The model on the route's own entry wins over the upstream's list, and the list's first match over later ones. */
export function withMappedModels({ candidates: [first, ...rest] }: Plan, asked: string | undefined): Plan {
  const map = (candidate: Candidate): Candidate => mapped(candidate, asked);
  return { candidates: [map(first), ...rest.map(map)] };
}

function mapped(candidate: Candidate, asked: string | undefined): Candidate {
  if (candidate.model !== undefined || asked === undefined) return candidate;
  const entry = candidate.upstream.modelMap.find(({ from }) => globMatches(from, asked));
  return entry === undefined ? candidate : { ...candidate, model: entry.to };
}
