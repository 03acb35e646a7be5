/** What is derived from crds/*.yaml, as path -> content; the drift test compares it with what is committed. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { compile } from 'json-schema-to-typescript';
import { parse } from 'yaml';

interface Schema {
  [key: string]: unknown;
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
}

interface CustomResourceDefinition {
  spec: { names: { kind: string }; versions: [{ schema: { openAPIV3Schema: Schema } }] };
}

const KINDS = ['streamproxies', 'sidecarprofiles'] as const;

/**
 * Makes every derived file from the CRDs below `root`.
 * @returns content by path relative to `root`
 */
export async function derive(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  let types = '/** Custom resources as users write them. Derived from crds/ by `npm run generate`; do not edit. */\n\n';
  for (const kind of KINDS) {
    const file = `${kind}.sluice.dev.yaml`;
    const text = await readFile(join(root, 'crds', file), 'utf8');
    files.set(`charts/sluice/files/crds/${file}`, text);
    const crd = parse(text) as CustomResourceDefinition;
    const schema = crd.spec.versions[0].schema.openAPIV3Schema;
    types += await typesOf(crd.spec.names.kind, schema);
    if (kind === 'streamproxies') {
      files.set('contract/streamproxy.schema.json', `${JSON.stringify(schema)}\n`);
    }
  }
  files.set('contract/resources.ts', types);
  return files;
}

/** Writes every derived file. @returns the paths written */
export async function writeDerived(root: string): Promise<string[]> {
  const files = await derive(root);
  for (const [path, content] of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return [...files.keys()];
}

async function typesOf(kind: string, schema: Schema): Promise<string> {
  const closed = forTypes(schema);
  const properties = closed.properties ?? {};
  properties['metadata'] = { type: 'object', tsType: 'ObjectMeta' };
  closed['required'] = ['metadata', 'spec'];
  const code = await compile(closed as Parameters<typeof compile>[0], kind, {
    bannerComment: '',
    additionalProperties: false,
    style: { singleQuote: true, printWidth: 120, semi: true },
  });
  return `${kind === 'StreamProxy' ? OBJECT_META : ''}${code}\n`;
}

const OBJECT_META = `/** The parts of Kubernetes' ObjectMeta that we read. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  [key: string]: unknown;
}

`;

/** Turns Kubernetes' OpenAPI dialect into plain JSON Schema: int-or-string, preserve-unknown-fields, no formats. */
function forTypes(schema: Schema): Schema {
  const { maxItems: _maxItems, minItems: _minItems, ...rest } = schema;
  const result: Schema = Object.fromEntries(Object.entries(rest).filter(([key]) => !key.startsWith('x-kubernetes-')));
  if (schema['x-kubernetes-int-or-string'] === true) {
    result.type = ['integer', 'string'];
    delete result['maxLength'];
    delete result['pattern'];
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) result['additionalProperties'] = true;
  if (schema.items) result.items = forTypes(schema.items);
  if (schema.properties) {
    result.properties = Object.fromEntries(Object.entries(schema.properties).map(([k, v]) => [k, forTypes(v)]));
  }
  return result;
}
