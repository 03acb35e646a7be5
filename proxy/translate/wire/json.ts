/** Reads values out of wire JSON: the lenient readers answer undefined, the demanding ones refuse with the field's path. */
import { ProxyError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../translator.ts';

type Maybe = JsonValue | undefined;

export function isObject(value: Maybe): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The members of an object; none for anything else. */
export function membersOf(value: Maybe): JsonObject {
  return isObject(value) ? value : {};
}

/** The elements of a list; none for anything else. */
export function elementsOf(value: Maybe): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** A string that is not empty. */
export function filled(value: Maybe): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** @returns the object that the text holds; undefined when it is no JSON or something else */
export function parseObject(text: string): JsonObject | undefined {
  const value = parseJson(text);
  return isObject(value) ? value : undefined;
}

/** @returns undefined when the text is no JSON */
export function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** @throws ProxyError bad_request that names the field */
export function requireObject(value: Maybe, path: string): JsonObject {
  return isObject(value) ? value : refuse(path, 'an object');
}

/** @throws ProxyError bad_request that names the field */
export function requireList(value: Maybe, path: string): readonly JsonValue[] {
  return Array.isArray(value) ? value : refuse(path, 'a list');
}

/** @throws ProxyError bad_request that names the field */
export function requireString(value: Maybe, path: string): string {
  return typeof value === 'string' ? value : refuse(path, 'a string');
}

/** @throws ProxyError bad_request that names the field */
export function requireName(value: Maybe, path: string): string {
  return filled(value) ?? refuse(path, 'a name');
}

/** @throws ProxyError bad_request that names the field */
export function refuse(path: string, expected: string): never {
  throw new ProxyError('bad_request', `Correct the field "${path}": it must be ${expected}`);
}
