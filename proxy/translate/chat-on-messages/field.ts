/** Readers of a Chat request beyond the general ones: null counts as absent there, and each refusal says the way out. */
import { ProxyError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../translator.ts';

/** A member's value; null counts as absent, as it does in OpenAI's API. */
export function given(object: JsonObject, name: string): JsonValue | undefined {
  return object[name] ?? undefined;
}

export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** @returns the text, or undefined when there is none or it is something else */
export function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** @throws ProxyError bad_request that names the field; an empty text is none */
export function textAt(value: JsonValue | undefined, field: string): string {
  if (typeof value !== 'string' || value === '') throw badField(field, 'a text that is not empty is needed here');
  return value;
}

/** @throws ProxyError bad_request that names the field */
export function numberAt(value: JsonValue | undefined, field: string): number {
  if (typeof value !== 'number') throw badField(field, 'a number is needed here');
  return value;
}

/**
 * The refusal of one field.
 * @param field path in the client's request, such as `messages[2].content[0]`
 * @param why what is wrong with it and what to send instead; no content of the request
 */
export function badField(field: string, why: string): ProxyError {
  return new ProxyError('bad_request', `Correct the field "${field}": ${why}`);
}
