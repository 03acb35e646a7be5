/**
 * Schemas that outputs and strict tools are held to: OpenAI's part of JSON Schema → Anthropic's, which is smaller. Objects are
 * closed, `oneOf` is `anyOf`, and constraints that the API refuses move into the description, where the model reads them, as
 * Anthropic's own SDKs do. https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
 */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { elementsOf, filled, isObject, membersOf } from '../wire/json.ts';
import { badField } from './field.ts';
import { lose } from './loss.ts';

/** Deeper ones are refused by the API as well. */
const MAX_DEPTH = 64;
const KEPT = new Set(['type', 'enum', 'const', '$ref', 'required', 'title']);
const FORMATS = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid']);
/** Keywords that say something about a schema and hold nobody to it. */
const NOTES = new Set(['default', 'examples', '$schema', '$id', '$comment', 'deprecated']);

/**
 * @param field the schema's path in the client's request
 * @returns the schema as the API takes it; what is no longer enforced is counted
 * @throws ProxyError bad_request that names the field, where losses are refused or the schema is too deep
 */
export function outputSchema(schema: JsonObject, field: string, context: TranslationContext): JsonObject {
  let loosened = false;
  const narrow = (value: JsonObject, depth: number): JsonObject => {
    if (depth > MAX_DEPTH) throw badField(field, `nest the schema at most ${MAX_DEPTH} levels deep`);
    const { kept, moved } = sorted(value, (inner) => (isObject(inner) ? narrow(inner, depth + 1) : inner));
    if (Object.keys(moved).some((name) => !NOTES.has(name))) loosened = true;
    return described(kept, moved, value['description']);
  };
  const narrowed = narrow(schema, 0);
  if (loosened) lose(context, 'schema_constraint', field);
  return narrowed;
}

type Inner = (value: JsonValue) => JsonValue;

function sorted(schema: JsonObject, inner: Inner): { kept: JsonObject; moved: JsonObject } {
  const kept: [string, JsonValue][] = [];
  const moved: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(schema)) {
    if (name === 'description' || name === '$schema') continue;
    const taken = keptMember(name, value, inner);
    if (taken !== undefined) kept.push(taken);
    else if (name !== 'additionalProperties' || value !== false) moved.push([name, value]);
  }
  if (isOfObjects(schema)) kept.push(['additionalProperties', false]);
  return { kept: Object.fromEntries(kept), moved: Object.fromEntries(moved) };
}

function keptMember(name: string, value: JsonValue, inner: Inner): [string, JsonValue] | undefined {
  if (KEPT.has(name)) return [name, value];
  switch (name) {
    case 'properties':
    case '$defs':
    case 'definitions':
      return [name, Object.fromEntries(Object.entries(membersOf(value)).map(([key, of]) => [key, inner(of)]))];
    case 'items':
      return [name, inner(value)];
    case 'anyOf':
    case 'allOf':
      return [name, elementsOf(value).map(inner)];
    case 'oneOf':
      return ['anyOf', elementsOf(value).map(inner)];
    case 'format':
      return FORMATS.has(filled(value) ?? '') ? [name, value] : undefined;
    case 'minItems':
      return value === 0 || value === 1 ? [name, value] : undefined;
    default:
      return undefined;
  }
}

function isOfObjects({ type, properties }: JsonObject): boolean {
  return type === 'object' || (Array.isArray(type) && type.includes('object')) || properties !== undefined;
}

function described(kept: JsonObject, moved: JsonObject, description: JsonValue | undefined): JsonObject {
  const notes = Object.entries(moved).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const parts = [filled(description), notes.length > 0 ? `{${notes.join(', ')}}` : undefined];
  const text = parts.filter((part) => part !== undefined).join('\n\n');
  return text === '' ? kept : { ...kept, description: text };
}
