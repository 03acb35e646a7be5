/** Findings: what is wrong with an input, where, and the way out. The one form for problems of every door. */

/** A problem with one field of an input. */
export interface Problem {
  /** Path of the field as users write it, such as `spec.routes[2].upstreams[0].name`; empty for the whole input. */
  readonly path: string;
  /** A full sentence that names the value and the way out. */
  readonly message: string;
}

/** The part of a resource that a finding makes invalid, or which does not do what it was written for. */
export interface FindingPart {
  readonly kind: 'upstream' | 'route' | 'target' | 'redaction' | 'client' | 'listener';
  readonly name: string;
}

/** What validation found in a resource that the API server accepted. */
export interface Finding extends Problem {
  /** `reference`: something that the resource names is not there; `value`: a value that cannot work. */
  readonly kind: 'reference' | 'value';
  /** One word for machines; see conditions.ts. */
  readonly reason: string;
  readonly part: FindingPart;
}

/** Thrown at a door when an input cannot be used at all; carries every problem, not only the first. */
export class InputError extends Error {
  readonly problems: readonly Problem[];

  constructor(subject: string, problems: readonly Problem[]) {
    super(`${subject}: ${problems.map((p) => (p.path === '' ? p.message : `${p.path}: ${p.message}`)).join('; ')}`);
    this.name = 'InputError';
    this.problems = problems;
  }
}
