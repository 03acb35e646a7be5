/** The door for compiled targets: what compile writes comes through as it is, what would do harm does not. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { Problem } from './finding.ts';
import { readTarget } from './parse-targets.ts';

const GOLDEN = join(import.meta.dirname, '../test/golden/compile/network-targets.out.yaml');
const { config } = parse(readFileSync(GOLDEN, 'utf8')) as {
  config: { logging: { targets: Record<string, unknown>[] } };
};
const { targets } = config.logging;

function read(value: unknown): { target: unknown; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  return { target: readTarget(value, { path: 'target', problems }), problems };
}

test('readTarget() gives every compiled target back as it was', () => {
  assert.ok(targets.length >= 8);
  for (const target of targets) assert.deepEqual(read(target), { target, problems: [] });
});

test('readTarget() refuses each field whose value is of no kind, with its path', () => {
  for (const target of targets) {
    for (const field of Object.keys(target)) {
      const { problems } = read({ ...target, [field]: Symbol('none') });
      assert.ok(
        problems.some(({ path }) => path.startsWith(`target.${field}`)),
        `${String(target['kind'])}.${field}`,
      );
    }
  }
});

const byName = (name: string) => targets.find((target) => target['name'] === name) ?? assert.fail(name);
for (const [name, field, value] of [
  ['postgres', 'table', 'records"; drop table records; --'],
  ['postgres', 'dsnFile', '../config.json'],
  ['http', 'url', 'file:///etc/passwd'],
  ['http', 'url', 'http://user:canary@store'],
  ['http', 'timeoutMs', 0],
  ['http', 'maxRecords', 0],
  ['http', 'credential', { file: 'credential-1', header: 'a\r\nb' }],
  ['secret-missing', 'spooled', false],
  ['kafka', 'brokers', []],
  ['kafka', 'brokers', ['kafka://kafka:9092']],
  ['kafka', 'sasl', { mechanism: 'GSSAPI', usernameFile: 'a', passwordFile: 'b' }],
  ['s3', 'endpoint', 'https://s3.example.com/path'],
] as const) {
  test(`readTarget() refuses ${name}.${field} ${JSON.stringify(value)}`, () => {
    const { problems } = read({ ...byName(name), [field]: value });
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.match(problems[0]?.path ?? '', new RegExp(`^target\\.${field}`));
    assert.ok(!JSON.stringify(problems).includes('canary'));
  });
}
