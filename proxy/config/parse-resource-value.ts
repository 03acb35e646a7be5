/** The schema of crds/ as data: its shape, and every place of a value beside the schema that holds for it. */

/** What of Kubernetes' OpenAPI dialect the CRD uses. */
export interface Schema {
  readonly [keyword: string]: unknown;
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message: string }[];
}

/** One place of a value, with its schema and its path as users write it. */
export interface Place {
  readonly schema: Schema;
  readonly value: unknown;
  readonly path: string;
}

/** Walks value and schema together, outermost first; what the schema does not know is left out. */
export function* places(schema: Schema, value: unknown, path = ''): Generator<Place> {
  yield { schema, value, path };
  if (Array.isArray(value)) {
    if (!schema.items) return;
    for (const [index, item] of value.entries()) yield* places(schema.items, item, `${path}[${index}]`);
    return;
  }
  if (!isMap(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (Object.hasOwn(value, name)) yield* places(property, value[name], joinField(path, name));
  }
}

/** `spec` + `routes` → `spec.routes`; a name that is no plain word is written as `["a/b"]`. */
export function joinField(path: string, name: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field whose value is null counts as left out, as the API server has it; an element that is null stays and is refused. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isMap(value)) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(entries.map(([name, member]) => [name, withoutNulls(member)]));
}

/** The type's name in JSON Schema. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

/**
 * The value as a message may show it. Places where people put a key by mistake show nothing, and neither does text with an
 * @, which may be a url with a password.
 */
export function shown(path: string, value: unknown): string | undefined {
  if (/\.(credentials\[|dsn\b)/.test(path)) return undefined;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || value.includes('@')) return undefined;
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}
