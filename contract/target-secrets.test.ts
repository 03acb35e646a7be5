/** No reference of a target is forgotten: neither by what is delivered, nor by the policy that guards Secrets. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compileTarget } from './compile/targets.ts';
import { isNetworkTarget, targetFiles } from './compiled-targets.ts';
import schema from './streamproxy.schema.json' with { type: 'json' };
import { type TargetSpec, targetSecrets } from './target-secrets.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

const KINDS = schema.properties.spec.properties.logging.properties.targets.items as unknown as Schema;

/** Paths of the fields below a target that hold a `secret`. */
function holders(node: Schema, path: readonly string[] = []): string[] {
  const { properties = {} } = node;
  if (properties['secret']) return [path.join('.')];
  return Object.entries(properties).flatMap(([name, child]) => holders(child, [...path, name]));
}

/** A target of one kind with every reference, each to a Secret of its own. */
function targetOf(kind: string): TargetSpec {
  const rest = {
    http: { url: 'https://a' },
    postgres: {},
    otlp: { url: 'https://a' },
    kafka: { brokers: ['a:1'], topic: 'a' },
    s3: { bucket: 'aaa' },
  };
  const target: Record<string, unknown> = { name: 'a', [kind]: { ...rest[kind as keyof typeof rest] } };
  for (const path of paths.filter((each) => each.startsWith(`${kind}.`))) {
    const names = path.split('.');
    let place = target;
    for (const name of names.slice(0, -1)) place = (place[name] ??= {}) as Record<string, unknown>;
    place[names.at(-1) ?? ''] = {
      secret: { name: `secret-of-${path}`, key: 'key' },
      ...(place[names.at(-1) ?? ''] as object),
    };
  }
  return target as unknown as TargetSpec;
}

const paths = holders(KINDS);
const kinds = [...new Set(paths.map((path) => path.split('.')[0] ?? ''))];

test('targetSecrets() finds every reference that the resource can hold', () => {
  assert.ok(paths.length >= 14);
  const found = kinds.flatMap((kind) => targetSecrets(targetOf(kind)).map(([path, { name }]) => [path, name]));
  assert.deepEqual(new Map(found as [string, string][]), new Map(paths.map((path) => [path, `secret-of-${path}`])));
  assert.equal(found.length, paths.length);
});

test('every reference of a target is a file of its compiled form', () => {
  for (const kind of kinds) {
    const compiled = compileTarget(targetOf(kind), []);
    assert.ok(isNetworkTarget(compiled));
    assert.equal(new Set(targetFiles(compiled)).size, paths.filter((path) => path.startsWith(`${kind}.`)).length, kind);
  }
});

test('the policy that guards Secrets looks at every reference', () => {
  const policy = readFileSync(
    join(import.meta.dirname, '../charts/sluice/templates/policy-streamproxy-secrets.yaml'),
    'utf8',
  );
  assert.deepEqual(
    paths.filter((path) => !policy.includes(`t.${path}.secret.name`)),
    [],
  );
});
