/** Names of tools at upstreams that take shorter ones than Anthropic does (128 characters), and back in their answers. */
import { createHash } from 'node:crypto';
import type { Flavor } from '../flavors.ts';
import type { TranslationContext } from '../translator.ts';
import { elementsOf, filled, membersOf } from '../wire/json.ts';

const HASH_CHARS = 8;

/** The name itself where it is allowed, else its beginning and a hash: the same in every turn of a conversation. */
export function functionName(name: string, { functionNameChars: most }: Flavor): string {
  if (name.length <= most) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_CHARS);
  return `${name.slice(0, most - HASH_CHARS - 1)}_${hash}`;
}

/** @returns finds the name that the client knows a function by */
export function clientNames({ request, flavor }: TranslationContext): (name: string) => string {
  const names = elementsOf(request?.['tools']).map((tool) => filled(membersOf(tool)['name']) ?? '');
  const shortened = names.filter((name) => name.length > flavor.functionNameChars);
  const originals = new Map(shortened.map((name) => [functionName(name, flavor), name]));
  return (name) => originals.get(name) ?? name;
}
