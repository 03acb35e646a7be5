import assert from 'node:assert/strict';
import test from 'node:test';
import { InputError } from '#contract/finding.ts';
import { CONFIG_DIRECTORY, STATE_DIRECTORY } from '#contract/names.ts';
import { readSettings } from './settings.ts';

test('readSettings() has a default for everything', () => {
  assert.deepEqual(readSettings({ SLUICE_LISTEN_PORT: '' }), {
    configDirectory: CONFIG_DIRECTORY,
    stateDirectory: STATE_DIRECTORY,
    listenHost: '127.0.0.1',
    lingerMs: 0,
    gatewayTokenFile: '/var/run/secrets/sluice/token',
    metricsHost: '0.0.0.0',
    drainTimeoutMs: 25_000,
    logLevel: 'info',
    workload: {},
  });
});

test('readSettings() reads ports, 0 included, and who we run for', () => {
  const settings = readSettings({ SLUICE_LISTEN_PORT: '0', SLUICE_METRICS_PORT: '9', SLUICE_POD_NAME: 'p' });
  assert.deepEqual([settings.listenPort, settings.metricsPort, settings.workload], [0, 9, { pod: 'p' }]);
});

test('readSettings() makes a gateway of a process that is told so, and of no other', () => {
  assert.equal(readSettings({ SLUICE_GATEWAY: 'off' }).gateway, undefined);
  assert.deepEqual(readSettings({ SLUICE_GATEWAY: 'tls' }).gateway, { tls: true });
  assert.deepEqual(readSettings({ SLUICE_GATEWAY: 'plaintext' }).gateway, { tls: false });
});

test('readSettings() names every bad variable at once', () => {
  const bad = {
    SLUICE_LISTEN_PORT: '65536',
    SLUICE_METRICS_PORT: '1e3',
    SLUICE_GATEWAY: 'yes',
    SLUICE_LOG_LEVEL: 'loud',
  };
  assert.throws(
    () => readSettings(bad),
    (error) => error instanceof InputError && error.problems.map((p) => p.path).join() === Object.keys(bad).join(),
  );
});
