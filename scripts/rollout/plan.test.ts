import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamProxy } from '#contract/resources.ts';
import { parseWeights, planRollout } from './plan.ts';

const upstream = (name: string) => ({ name, dialect: 'anthropic' as const, url: `https://${name}.example` });
const RESOURCE: StreamProxy = {
  metadata: { name: 'llm' },
  spec: {
    upstreams: [upstream('blue'), upstream('green'), upstream('red')],
    routes: [
      { name: 'opus', upstreams: [{ name: 'red' }] },
      {
        name: 'all',
        upstreams: [
          { name: 'blue', weight: 100 },
          { name: 'green', weight: 0, model: 'claude-y' },
        ],
      },
    ],
  },
};

const after = (to: string, route = 'all') => {
  const plan = planRollout(RESOURCE, route, parseWeights(to).weights);
  return plan.kind === 'patch' ? plan.after : plan.problems;
};

test('planRollout() sets the weights that are named, and 0 for the others, which stay with all that they have', () => {
  assert.deepEqual(after('green=100'), [
    { name: 'blue', weight: 0 },
    { name: 'green', weight: 100, model: 'claude-y' },
  ]);
  assert.deepEqual(after('blue=90,green=10')[1], { name: 'green', weight: 10, model: 'claude-y' });
});

test('planRollout() adds an upstream that the route did not have', () => {
  assert.deepEqual(after('red=1')[2], { name: 'red', weight: 1 });
});

test('planRollout() patches its own route alone, and not one that has changed meanwhile', () => {
  const plan = planRollout(RESOURCE, 'all', new Map([['green', 1]]));
  assert.ok(plan.kind === 'patch');
  assert.deepEqual(
    plan.patch.map(({ op, path }) => [op, path]),
    [
      ['test', '/spec/routes/1/name'],
      ['test', '/spec/routes/1/upstreams'],
      ['replace', '/spec/routes/1/upstreams'],
    ],
  );
  assert.deepEqual(plan.patch[1]?.value, RESOURCE.spec.routes[1]?.upstreams);
});

test('planRollout() names what is there when something is not', () => {
  const text = (value: unknown): string => JSON.stringify(value);
  assert.match(text(after('green=1', 'none')), /no route of the StreamProxy; use one of \\"opus\\", \\"all\\"/);
  assert.match(text(after('grene=1')), /\\"grene\\" is no entry of spec\.upstreams; use one of \\"blue\\"/);
  assert.match(text(after('green=0')), /No weight is above 0/);
});

test('parseWeights() takes NAME=WEIGHT, up to what the resource allows', () => {
  assert.deepEqual(
    [...parseWeights('a=1, b=1000').weights],
    [
      ['a', 1],
      ['b', 1000],
    ],
  );
  for (const bad of ['green', 'green=', 'green=-1', 'green=1001', 'green=1.5', '=1']) {
    assert.equal(parseWeights(bad).problems.length, 1, bad);
  }
});
