/** Reading of raw headers: names and values alternating, as they came. */

export type RawHeaders = readonly string[];

/** Every value of a header, in order. @param name in lower case */
export function headerValues(raw: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const given = raw[index] as string;
    if (given.length === name.length && given.toLowerCase() === name) values.push(raw[index + 1] as string);
  }
  return values;
}

/** The first value of a header. @param name in lower case */
export function headerValue(raw: RawHeaders, name: string): string | undefined {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const given = raw[index] as string;
    if (given.length === name.length && given.toLowerCase() === name) return raw[index + 1];
  }
  return undefined;
}

/** The headers whose lower-case name passes. */
export function filterHeaders(raw: RawHeaders, keep: (name: string, value: string) => boolean): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    const value = raw[index + 1] as string;
    if (keep(name.toLowerCase(), value)) kept.push(name, value);
  }
  return kept;
}
