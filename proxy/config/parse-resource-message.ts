/** One violation of the schema, said for a person: the field, the value, the way out. The core of each sentence is the API server's own wording. */
import type { ErrorObject } from 'ajv';
import type { Problem } from '#contract/finding.ts';
import { isMap, joinField, type Schema, shown, typeName } from './parse-resource-value.ts';

/**
 * Says one error of ajv.
 * @param error with `verbose` facts
 * @param root the value that was validated
 */
export function describeError(error: ErrorObject, root: unknown): Problem {
  const path = fieldPath(error.instancePath, root);
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'required') {
    const name = String(params['missingProperty']);
    return { path: joinField(path, name), message: required(error.parentSchema as Schema, name) };
  }
  if (error.keyword === 'additionalProperties') {
    const name = String(params['additionalProperty']);
    return {
      path: joinField(path, name),
      message: unknownField(joinField(path, name), name, error.parentSchema as Schema),
    };
  }
  return { path, message: violation(error, path) };
}

function violation(error: ErrorObject, path: string): string {
  const value: unknown = error.data;
  const text = shown(path, value) ?? 'The value';
  const limit = String((error.params as { limit?: unknown }).limit);
  switch (error.keyword) {
    case 'type':
      return `Found ${typeName(value)}, the value must be of type ${[error.schema].flat().join(',')}${example(error)}`;
    case 'enum':
      return `Unsupported value: ${text}; use one of ${(error.schema as unknown[]).map((v) => JSON.stringify(v)).join(', ')}`;
    case 'pattern':
      return `${text} should match '${String(error.schema)}'${example(error)}`;
    case 'minimum':
      return `${text} should be greater than or equal to ${limit}; raise it`;
    case 'maximum':
      return `${text} should be less than or equal to ${limit}; lower it`;
    case 'minLength':
      return `${text} should be at least ${limit} chars long${example(error)}`;
    case 'maxLength':
      return `Too long: may not be more than ${limit} bytes; found ${String(value).length}, shorten it`;
    case 'minItems':
      return `The list should have at least ${limit} items; add one`;
    case 'maxItems':
      return `Too many: ${(value as unknown[]).length}: must have at most ${limit} items; remove some`;
    default:
      return `${text} ${error.message ?? 'is refused'}`;
  }
}

function required(parent: Schema, name: string): string {
  const description = parent.properties?.[name]?.description;
  return `Required value; add "${name}"${description ? ` (${firstSentence(description)})` : ''}`;
}

function unknownField(path: string, name: string, parent: Schema): string {
  const known = Object.keys(parent.properties ?? {});
  if (known.length === 0) return `Remove the unknown field "${path}"; nothing goes here, write {}`;
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const close = nearest && nearest.distance <= Math.max(1, Math.floor(name.length / 3));
  const way = close ? `did you mean "${nearest.candidate}"?` : knownHere(known);
  return `Remove the unknown field "${path}"; ${way}`;
}

function knownHere(known: readonly string[]): string {
  const named = known.slice(0, 8).map((name) => `"${name}"`);
  return `known here are ${named.join(', ')}${known.length > named.length ? ' and others' : ''}`;
}

/** What a value of this place looks like, from the description that the CRD gives it. */
function example(error: ErrorObject): string {
  const { pattern, description } = (error.parentSchema ?? {}) as { pattern?: string; description?: string };
  if (pattern !== undefined && EXAMPLES.has(pattern)) return `; write for example ${EXAMPLES.get(pattern)}`;
  return description ? ` (${firstSentence(description)})` : '';
}

/** By pattern, as a regular expression is no help to a person; a test holds it to the patterns of the CRD. */
export const EXAMPLES: ReadonlyMap<string, string> = new Map([
  ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 'claude-main: small letters, digits and - between them'],
  [
    '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
    'llm: small letters, digits, - and . between them',
  ],
  ['^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$', 'anthropic-key, the name of a Secret'],
  ['^[-._a-zA-Z0-9]+$', "api-key, a key of the Secret's data"],
  ['^[0-9]{1,9}(ms|s|m|h)$', '250ms, 30s, 5m or 1h'],
  ['^[0-9]{1,12}(Ki|Mi|Gi)?$', '65536, 64Ki, 16Mi or 1Gi'],
  ["^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", 'x-session-id, the name of a header'],
  ['^\\$(\\.[A-Za-z0-9_-]+|\\[[0-9]+\\]|\\[\\*\\])+$', '$.metadata.user_id or $.messages[*].content'],
  ['^[a-z_][a-z0-9_]*$', 'sluice_records'],
  ['^https?://[a-z0-9.-]+(:[0-9]{1,5})?$', 'https://app.example.com, an origin without a path'],
  ["^/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$", '/v3, a path without query'],
  ['^[a-zA-Z0-9_-]+$', 'look_up-ticket: letters, digits, _ and -'],
  ['^(/[A-Za-z0-9._-]+)+$', '/workspace, an absolute path without a / at its end'],
  ['^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$', '/workspace, an absolute path without a folder that begins with a dot'],
  [
    '^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$',
    'published/texts, a relative path of plain folders',
  ],
  ['^[0-9]{1,4}ms-[0-9]{1,4}ms$', '10ms-50ms'],
  ['^[0-9]{1,12}(\\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$', '100m, 0.5 or 256Mi'],
  ['^[a-zA-Z0-9._-]+$', 'llm-conversations, the name of a topic'],
  ['^[a-z0-9][a-z0-9.-]*[a-z0-9]$', 'llm-conversations, the name of a bucket'],
  ["^([A-Za-z0-9!_.*'()=-][A-Za-z0-9!_.*'()=/-]*)?$", 'sluice/, what object names begin with'],
  ['^[a-z0-9-]+$', 'eu-central-1, the name of a region'],
]);

function firstSentence(text: string): string {
  return text.split(/\.\s|\.$/)[0] ?? text;
}

/** `/spec/routes/2/name` → `spec.routes[2].name`. */
function fieldPath(pointer: string, root: unknown): string {
  let value: unknown = root;
  let path = '';
  for (const escaped of pointer.split('/').slice(1)) {
    const name = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    path = Array.isArray(value) ? `${path}[${name}]` : joinField(path, name);
    value = Array.isArray(value) ? value[Number(name)] : isMap(value) ? value[name] : undefined;
  }
  return path;
}

/** Levenshtein's distance: single insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, left] of Array.from(a).entries()) {
    const row = [i + 1];
    for (const [j, right] of Array.from(b).entries()) {
      const replaced = (previous[j] ?? 0) + (left === right ? 0 : 1);
      row.push(Math.min(replaced, (previous[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
