/** Label values: bounded in number and length, as each distinct one costs memory here and in Prometheus for good. */

/** Label value where an exchange has no route, no upstream or no model. */
export const NONE = 'none';
/** Label value for everything beyond the limit. */
export const OTHER = 'other';

const VALUE_LIMIT = 128;

/** The first `limit` distinct values pass, later ones become `other`: what a caller can invent must not grow the registry. */
export class BoundedLabel {
  readonly #limit: number;
  readonly #known = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  value(raw: string | undefined): string {
    if (raw === undefined || raw === '') return NONE;
    const value = raw.slice(0, VALUE_LIMIT);
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.#limit) return OTHER;
    this.#known.add(value);
    return value;
  }
}
