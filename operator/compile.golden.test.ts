/** StreamProxy + Secrets → config, findings and the conditions that people see, in one file for each case. */
import { compile } from '#contract/compile/compile.ts';
import type { StreamProxy } from '#contract/resources.ts';
import type { SecretFacts } from '#contract/secrets.ts';
import { goldenTests } from '../test/support/golden.ts';
import { conditionsOf } from './status/conditions.ts';

interface Case {
  readonly resource: StreamProxy;
  readonly secrets: Readonly<Record<string, { readonly version: string; readonly keys: readonly string[] }>>;
}

await goldenTests('compile', (input) => {
  const { resource, secrets } = input as Case;
  const facts = Object.entries(secrets).map(([name, { version, keys }]): [string, SecretFacts] => [
    name,
    { exists: true, version, keys: new Set(keys) },
  ]);
  const { config, credentials, findings } = compile(resource, new Map(facts));
  const outcome = { findings, revision: config.revision, failure: undefined, pods: [] };
  const conditions = conditionsOf(outcome, resource.metadata.generation ?? 0, [], new Date('2026-11-21T12:00:00Z'));
  return { conditions, findings, credentials, config };
});
