/** Reading unknown JSON field by field: each reader gives a typed value, or notes a problem with the field's path. */
import type { Problem } from './finding.ts';

/** Where a value stands, and where its problems go. */
export interface Place {
  readonly path: string;
  readonly problems: Problem[];
}

type Fields = Readonly<Record<string, unknown>>;
/** What a reader gives in place of a value that it refused; the caller throws everything away when there are problems. */
const refused = <T>(place: Place, message: string, placeholder: T): T => {
  place.problems.push({ path: place.path, message });
  return placeholder;
};

export function at(place: Place, key: string | number): Place {
  if (typeof key === 'number') return { path: `${place.path}[${key}]`, problems: place.problems };
  return { path: place.path === '' ? key : `${place.path}.${key}`, problems: place.problems };
}

export function readObject(value: unknown, place: Place): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  return refused(place, `Expected an object, got ${nameOf(value)}`, {});
}

export function readText(value: unknown, place: Place): string {
  return typeof value === 'string' ? value : refused(place, `Expected a text, got ${nameOf(value)}`, '');
}

/** A text that is not empty. */
export function readName(value: unknown, place: Place): string {
  const text = readText(value, place);
  return text === '' && value === '' ? refused(place, 'Expected a text that is not empty', '') : text;
}

/** The name of a header as HTTP allows it, in lower case. */
export function readHeaderName(value: unknown, place: Place): string {
  const text = readText(value, place);
  if (text === '' && value !== '') return text;
  return /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(text)
    ? text
    : refused(place, `Expected a header name in lower case, got "${text}"`, '');
}

/** The name of a file beside config.json: no path that leads elsewhere. */
export function readFileName(value: unknown, place: Place): string {
  const text = readText(value, place);
  if (text === '' && value !== '') return text;
  return /^[A-Za-z0-9._-]+$/.test(text) && !text.startsWith('..')
    ? text
    : refused(place, `Expected a file name without a folder, got "${text}"`, '');
}

/** A whole number between 0 and `max`. */
export function readWhole(value: unknown, place: Place, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
  return refused(place, `Expected a whole number from 0 to ${max}, got ${nameOf(value)}`, 0);
}

export function readList<T>(value: unknown, place: Place, readItem: (item: unknown, place: Place) => T): T[] {
  if (!Array.isArray(value)) return refused(place, `Expected a list, got ${nameOf(value)}`, []);
  return value.map((item: unknown, index) => readItem(item, at(place, index)));
}

export function readOneOf<const T extends string>(value: unknown, place: Place, allowed: readonly T[]): T | undefined {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  return refused(place, `Expected one of ${allowed.map((a) => `"${a}"`).join(', ')}, got ${nameOf(value)}`, undefined);
}

/** Says what a value is without repeating it at length. */
function nameOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') return `"${value.slice(0, 80)}"`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? 'a list' : 'an object';
}
