import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '#contract/finding.ts';
import { readSettings } from './settings.ts';

const LEAST = { SLUICE_SIDECAR_IMAGE: 'example.org/sluice:1', POD_NAMESPACE: 'sluice-system' };

test('readSettings() needs the image and the namespace, and has a default for all else', () => {
  const settings = readSettings(LEAST);
  assert.deepEqual(settings.sidecar, {
    image: 'example.org/sluice:1',
    imagePullPolicy: 'IfNotPresent',
    resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '256Mi' } },
  });
  assert.deepEqual(settings.watchNamespaces, []);
  assert.equal(settings.metricsPort, 9090);
  assert.equal(settings.leaderElection, true);
});

test('readSettings() reads namespaces with commas, spaces and doubles', () => {
  assert.deepEqual(readSettings({ ...LEAST, SLUICE_WATCH_NAMESPACES: ' a, b,,a' }).watchNamespaces, ['a', 'b']);
});

test('readSettings() names every problem at once', () => {
  const env = {
    SLUICE_SIDECAR_IMAGE: 'has a space',
    SLUICE_SIDECAR_IMAGE_PULL_POLICY: 'Sometimes',
    SLUICE_WATCH_NAMESPACES: 'ok,Not_ok',
    SLUICE_METRICS_PORT: '70000',
    SLUICE_LEADER_ELECTION: 'maybe',
    SLUICE_LOG_LEVEL: 'loud',
    SLUICE_WORKERS: '0',
    SLUICE_SIDECAR_MEMORY_LIMIT: 'much',
  };
  assert.throws(
    () => readSettings(env),
    (error) => {
      assert.ok(error instanceof InputError);
      assert.deepEqual(error.problems.map(({ path }) => path).sort(), [...Object.keys(env), 'POD_NAMESPACE'].sort());
      return true;
    },
  );
});

test('readSettings() leaves the processor unlimited unless asked, as throttling is latency', () => {
  assert.deepEqual(readSettings({ ...LEAST, SLUICE_SIDECAR_CPU_LIMIT: '1' }).sidecar.resources.limits, {
    memory: '256Mi',
    cpu: '1',
  });
});
