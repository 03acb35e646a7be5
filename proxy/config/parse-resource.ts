/**
 * The door of file mode: text of a YAML file → StreamProxy, held to the same schema, defaults and CEL rules as the API
 * server holds it (crds/), or every problem with its field.
 */
import type { Problem } from '#contract/finding.ts';
import { API_GROUP, API_VERSION } from '#contract/names.ts';
import type { StreamProxy } from '#contract/resources.ts';
import { checkRules } from './parse-resource-rules.ts';
import { checkStructure } from './parse-resource-schema.ts';
import { withoutNulls } from './parse-resource-value.ts';
import { parseYaml } from './parse-resource-yaml.ts';

/** About what etcd takes; a StreamProxy with every list full stays far below. */
export const MAX_RESOURCE_BYTES = 1024 ** 2;

export type ParsedResource =
  | { readonly kind: 'resource'; readonly resource: StreamProxy }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/**
 * Parses one StreamProxy, defaults filled in.
 * @param text content of a YAML (or JSON) file with exactly one document
 */
export async function parseResource(text: string): Promise<ParsedResource> {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_RESOURCE_BYTES) {
    return problem('', `The file has ${bytes} bytes; a StreamProxy may have ${MAX_RESOURCE_BYTES} at most`);
  }
  const yaml = await parseYaml(text);
  if (yaml.kind === 'problems') return yaml;
  const one = onlyResource(yaml.documents);
  if (one.kind === 'problems') return one;
  const value = withoutNulls(one.value);
  const problems = await checkStructure(value);
  problems.push(...(await checkRules(value, problems.length > 0)));
  if (problems.length > 0) return { kind: 'problems', problems: unique(problems) };
  return { kind: 'resource', resource: value as StreamProxy };
}

function onlyResource(
  documents: readonly unknown[],
): { kind: 'one'; value: unknown } | { kind: 'problems'; problems: Problem[] } {
  const [value] = documents;
  if (documents.length > 1) {
    return problem('', `The file holds ${documents.length} YAML documents; keep one StreamProxy alone in its file`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return problem('', 'The file holds no resource; write a StreamProxy, for example crds/examples/minimal.yaml');
  }
  const { apiVersion, kind } = value as { apiVersion?: unknown; kind?: unknown };
  const wrong = [
    ...wrongWord('apiVersion', apiVersion, `${API_GROUP}/${API_VERSION}`),
    ...wrongWord('kind', kind, 'StreamProxy'),
  ];
  return wrong.length > 0 ? { kind: 'problems', problems: wrong } : { kind: 'one', value };
}

function wrongWord(path: string, value: unknown, expected: string): Problem[] {
  if (value === expected) return [];
  const found =
    value === undefined || value === null ? 'Required value' : `Unsupported value: ${JSON.stringify(value)}`;
  return [{ path, message: `${found}; write ${path}: ${expected}` }];
}

function problem(path: string, message: string): { kind: 'problems'; problems: Problem[] } {
  return { kind: 'problems', problems: [{ path, message }] };
}

function unique(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((p) => [`${p.path} ${p.message}`, p])).values()];
}
