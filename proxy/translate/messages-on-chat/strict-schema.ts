/** Whether a schema lies in the part of JSON Schema that OpenAI takes as strict; Anthropic's strict tools allow more. */
import type { JsonObject, JsonValue } from '../translator.ts';
import { elementsOf, isObject, membersOf } from '../wire/json.ts';

/** https://platform.openai.com/docs/guides/structured-outputs#supported-schemas: every property required, no others allowed. */
export function fitsStrict(schema: JsonValue | undefined): boolean {
  if (!isObject(schema)) return true;
  return closed(schema) && subschemas(schema).every(fitsStrict);
}

function closed(schema: JsonObject): boolean {
  if (schema['type'] !== 'object' && schema['properties'] === undefined) return true;
  const required = new Set(elementsOf(schema['required']));
  const all = Object.keys(membersOf(schema['properties'])).every((name) => required.has(name));
  return all && schema['additionalProperties'] === false;
}

function subschemas(schema: JsonObject): readonly (JsonValue | undefined)[] {
  return [
    schema['items'],
    ...elementsOf(schema['anyOf']),
    ...Object.values(membersOf(schema['properties'])),
    ...Object.values(membersOf(schema['$defs'])),
  ];
}
