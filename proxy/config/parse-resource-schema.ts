/** A parsed value against the CRD's schema: defaults are filled in as the API server does, unknown fields are refused as `kubectl --validate=strict` does. */
import type { ValidateFunction } from 'ajv';
import type { Problem } from '#contract/finding.ts';
import { describeError } from './parse-resource-message.ts';
import { METADATA_SCHEMA } from './parse-resource-metadata.ts';
import type { Schema } from './parse-resource-value.ts';

const VOCABULARY = [
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-preserve-unknown-fields',
];

let compiled: Promise<ValidateFunction> | undefined;

/**
 * Checks the structure of a resource.
 * @param value changed in place: defaults are filled in
 * @returns every problem, in the order of the schema
 */
export async function checkStructure(value: unknown): Promise<Problem[]> {
  compiled ??= compileSchema();
  const validate = await compiled;
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => describeError(error, value));
}

async function compileSchema(): Promise<ValidateFunction> {
  const { Ajv } = await import('ajv');
  const { default: schema } = await import('#contract/streamproxy.schema.json', { with: { type: 'json' } });
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    verbose: true,
    strictTypes: false,
    validateFormats: false,
  });
  ajv.addVocabulary(VOCABULARY);
  ajv.addKeyword({ keyword: 'x-kubernetes-int-or-string', schemaType: 'boolean' });
  return ajv.compile(withMetadata(closed(schema as Schema)));
}

function withMetadata(root: Schema): Schema {
  const required = ['metadata', ...((root['required'] as string[] | undefined) ?? [])];
  return { ...root, required, properties: { ...root.properties, metadata: METADATA_SCHEMA } };
}

/** Every object refuses fields that it does not list; the API server's structural schemas mean that without saying so. */
function closed(schema: Schema): Schema {
  const result: Record<string, unknown> = { ...schema };
  if (schema['x-kubernetes-int-or-string'] === true) result['type'] = ['integer', 'string'];
  if (schema.items) result['items'] = closed(schema.items);
  if (schema.type === 'object' && schema['x-kubernetes-preserve-unknown-fields'] !== true) {
    const properties = Object.entries(schema.properties ?? {});
    result['properties'] = Object.fromEntries(properties.map(([name, property]) => [name, closed(property)]));
    result['additionalProperties'] = false;
  }
  return result;
}
