/** Request facts × routes → the first route that matches. Pure. */
import type { CompiledMatch, CompiledRoute, PathPattern } from '#contract/compiled.ts';

/** A fact of the body. `unread`: the body is longer than we look, and it was not found so far. */
export type BodyFact = { readonly kind: 'read'; readonly value: string | undefined } | { readonly kind: 'unread' };

export interface MatchFacts {
  /** Without the query. */
  readonly path: string;
  readonly model: BodyFact;
  readonly agent: BodyFact;
  /** Every value of a header, by its lower-case name. */
  headerValues(name: string): readonly string[];
}

export type Match =
  | { readonly kind: 'matched'; readonly route: CompiledRoute }
  /** This route would match if the fact that nobody has read does. */
  | { readonly kind: 'needs'; readonly what: 'model' | 'agent'; readonly route: CompiledRoute }
  | { readonly kind: 'none' };

/** First match wins. */
export function match(facts: MatchFacts, routes: readonly CompiledRoute[]): Match {
  for (const route of routes) {
    const { match: rule } = route;
    if (mismatch(facts, rule) !== undefined) continue;
    if (facts.model.kind === 'unread' && asksForModel(rule)) return { kind: 'needs', what: 'model', route };
    if (facts.agent.kind === 'unread' && rule.agents.length > 0) return { kind: 'needs', what: 'agent', route };
    return { kind: 'matched', route };
  }
  return { kind: 'none' };
}

/**
 * The first part of a rule that a request does not satisfy, such as `path` or `header x-team`; undefined when none fails. A
 * fact that was not read fails nothing.
 */
export function mismatch(facts: MatchFacts, rule: CompiledMatch): string | undefined {
  const head = headMismatch(facts, rule);
  if (head !== undefined) return head;
  const { agent, model } = facts;
  if (rule.agents.length > 0 && agent.kind === 'read') {
    if (agent.value === undefined || !rule.agents.includes(agent.value)) return 'agent';
  }
  if (model.kind === 'unread') return undefined;
  if (rule.models.length > 0 && !anyGlob(rule.models, model.value)) return 'model';
  return rule.tierModels !== undefined && !anyGlob(rule.tierModels, model.value) ? 'tier' : undefined;
}

/** Of the parts that the request's head alone decides, the first that fails. */
export function headMismatch(
  facts: Pick<MatchFacts, 'path' | 'headerValues'>,
  rule: CompiledMatch,
): string | undefined {
  if (rule.paths.length > 0 && !rule.paths.some((pattern) => pathMatches(pattern, facts.path))) return 'path';
  const missing = rule.headers.find(({ name, values }) => {
    const given = facts.headerValues(name);
    return values.length === 0 ? given.length === 0 : !given.some((value) => values.includes(value));
  });
  return missing && `header ${missing.name}`;
}

export function pathMatches(pattern: PathPattern, path: string): boolean {
  return pattern.kind === 'exact' ? path === pattern.path : path.startsWith(pattern.path);
}

function asksForModel(rule: CompiledMatch): boolean {
  return rule.models.length > 0 || rule.tierModels !== undefined;
}

function anyGlob(globs: readonly string[], model: string | undefined): boolean {
  return model !== undefined && globs.some((glob) => globMatches(glob, model));
}

/** `*` stands for any characters, none included; everything else for itself. Linear: no pattern makes it slow. */
export function globMatches(glob: string, text: string): boolean {
  const parts = glob.split('*');
  const first = parts[0] ?? '';
  if (parts.length === 1) return text === first;
  const last = parts.at(-1) ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let from = first.length;
  const limit = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from);
    if (found === -1 || found + part.length > limit) return false;
    from = found + part.length;
  }
  return true;
}
