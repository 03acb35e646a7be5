/**
 * The schema of a function's parameters → a tool's input schema. The API wants to read that the input is an object, and refuses
 * alternatives at the top ("input_schema does not support oneOf, allOf, or anyOf at the top level"), as unions of commands have
 * them: their properties become those of one object.
 */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { elementsOf, isObject, membersOf, requireObject } from '../wire/json.ts';
import { given } from './field.ts';
import { lose } from './loss.ts';

const ALTERNATIVES = ['oneOf', 'anyOf', 'allOf'] as const;

/** @throws ProxyError bad_request that names the field when it is no schema, or where losses are refused */
export function inputSchema(declared: JsonObject, field: string, context: TranslationContext): JsonObject {
  const parameters = requireObject(given(declared, 'parameters') ?? {}, field);
  if (ALTERNATIVES.some((name) => Array.isArray(parameters[name]))) {
    lose(context, 'schema_constraint', field);
    return flattened(parameters);
  }
  return parameters['type'] === undefined ? { type: 'object', ...parameters } : parameters;
}

/** One object that takes what any of the alternatives takes, and requires what all of them require. */
function flattened({ oneOf, anyOf, allOf, ...own }: JsonObject): JsonObject {
  const [choices, parts] = [[oneOf, anyOf].map(schemasIn), schemasIn(allOf)];
  const all = [own, ...parts, ...choices.flat()];
  const required = new Set([...[own, ...parts].flatMap(requiredIn), ...choices.flatMap(requiredInAll)]);
  return {
    ...own,
    type: 'object',
    properties: united(all.map(({ properties }) => membersOf(properties))),
    ...(required.size > 0 && { required: [...required] }),
  };
}

function schemasIn(value: JsonValue | undefined): JsonObject[] {
  return elementsOf(value).filter(isObject);
}

function requiredIn({ required }: JsonObject): readonly JsonValue[] {
  return elementsOf(required);
}

function requiredInAll(alternatives: readonly JsonObject[]): readonly JsonValue[] {
  const [first = {}, ...others] = alternatives;
  const required = others.map((other) => new Set(requiredIn(other)));
  return requiredIn(first).filter((name) => required.every((names) => names.has(name)));
}

/** A property that is described in different ways may be any of them. */
function united(lists: readonly JsonObject[]): JsonObject {
  const schemas = new Map<string, Map<string, JsonValue>>();
  for (const [name, schema] of lists.flatMap((properties) => Object.entries(properties)))
    schemas.set(name, (schemas.get(name) ?? new Map()).set(JSON.stringify(schema), schema));
  const entries = [...schemas].map(([name, ways]) => {
    const [only = {}, ...others] = ways.values();
    return [name, others.length === 0 ? only : { anyOf: [...ways.values()] }];
  });
  return Object.fromEntries(entries) as JsonObject;
}
