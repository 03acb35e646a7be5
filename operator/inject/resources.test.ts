import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sidecarResources } from './resources.ts';

const CHART = { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '256Mi' } };

test("sidecarResources() are the chart's where the StreamProxy says nothing", () => {
  assert.deepEqual(sidecarResources(CHART, undefined), CHART);
  assert.deepEqual(sidecarResources(CHART, { requests: {} }), CHART);
});

test('sidecarResources() takes each value that the StreamProxy gives', () => {
  const own = { requests: { memory: '128Mi' }, limits: { memory: '512Mi' } };
  assert.deepEqual(sidecarResources(CHART, own), {
    requests: { cpu: '20m', memory: '128Mi' },
    limits: { memory: '512Mi' },
  });
});

test("sidecarResources() lets the chart's values give way to what is given", () => {
  assert.deepEqual(sidecarResources(CHART, { limits: { memory: '64Mi' } }), {
    requests: { cpu: '20m', memory: '64Mi' },
    limits: { memory: '64Mi' },
  });
  assert.deepEqual(sidecarResources(CHART, { requests: { memory: '1Gi' } }), {
    requests: { cpu: '20m', memory: '1Gi' },
    limits: { memory: '1Gi' },
  });
});

test('sidecarResources() writes out the request that a limit alone means', () => {
  assert.deepEqual(sidecarResources({ requests: {}, limits: {} }, { limits: { cpu: '2' } }), {
    requests: { cpu: '2' },
    limits: { cpu: '2' },
  });
});
