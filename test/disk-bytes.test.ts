/** The sum of the sidecar's bounds on disk: what each part really writes stays below it, whatever the resource says, and injection gives it. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { diskAtMost, diskBytesAtMost, diskShares } from '../contract/disk-bytes.ts';
import type { StreamProxy } from '../contract/resources.ts';
import { parseBytes } from '../contract/units.ts';
import { profileSpec } from '../operator/inject/sidecar.ts';
import { openArchive } from '../proxy/log/audit/schema.ts';
import { AuditStore } from '../proxy/log/audit/store.ts';
import { Journal } from '../proxy/log/journal.ts';
import { Ledger } from '../proxy/log/spool/ledger.ts';
import { openDatabase } from '../proxy/log/spool/schema.ts';
import { setAside } from '../proxy/log/spool/set-aside.ts';
import { SpoolStore } from '../proxy/log/spool/store.ts';
import { FileSink } from '../proxy/log/targets/file.ts';

const MIB = 1024 ** 2;
const DAY_MS = 86_400_000;

type Logging = NonNullable<StreamProxy['spec']['logging']>;

function specWith(logging: Logging): StreamProxy['spec'] {
  return {
    upstreams: [{ name: 'claude', dialect: 'anthropic', url: 'https://api.anthropic.com' }],
    routes: [{ name: 'all', upstreams: [{ name: 'claude' }] }],
    logging,
  };
}

const quantity = fc.oneof(
  fc.nat(2 ** 31),
  fc.tuple(fc.nat(4096), fc.constantFrom('Ki', 'Mi', 'Gi')).map(([number, unit]) => `${number}${unit}`),
);
const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined });
const logging: fc.Arbitrary<Logging> = fc
  .record({
    maxBodyBytes: optional(quantity),
    spool: optional(quantity),
    audit: optional(fc.record({ enabled: fc.boolean(), maxBytes: quantity })),
    files: fc.array(quantity, { maxLength: 4 }),
    stateVolume: fc.boolean(),
  })
  .map(({ maxBodyBytes, spool, audit, files }) => ({
    ...(maxBodyBytes !== undefined && { capture: { maxBodyBytes } }),
    ...(spool !== undefined && { spool: { maxBytes: spool } }),
    ...(audit && { audit }),
    targets: files.map((maxBytes, index) => ({ name: `f${index}`, file: { path: `f${index}.ndjson`, maxBytes } })),
  }));

const bytesOf = (value: string | number | undefined, or: string): number => parseBytes(value ?? or) ?? Number.NaN;

test('the limit that injection gives is above the sum of the bounds that the resource sets, whatever they are', () => {
  const settings = {
    image: 'example.org/sluice:1.0.0',
    imagePullPolicy: 'IfNotPresent' as const,
    resources: { requests: {}, limits: {} },
  };
  const judge = (given: Logging, stateVolume: boolean): void => {
    const spec = { ...specWith(given), ...(stateVolume && { sidecar: { stateVolume: { name: 'data' } } }) };
    const spool = bytesOf(given.spool?.maxBytes, '256Mi');
    const audit = given.audit?.enabled ? bytesOf(given.audit.maxBytes, '256Mi') : 0;
    const files = (given.targets ?? []).map(({ file }) => 2 * bytesOf(file?.maxBytes, '64Mi'));
    // The spool in use and two damaged ones, the archive in use and a damaged one, each file and the one before it.
    const named = 3 * spool + 2 * audit + files.reduce((sum, each) => sum + each, 0);
    assert.ok(diskBytesAtMost(spec) > named, `${diskBytesAtMost(spec)} for ${named}`);
    const profile = profileSpec(settings, { metadata: { name: 'llm', namespace: 'agents' }, spec });
    assert.equal(profile.ephemeralStorage, diskAtMost(spec));
    assert.ok(bytesOf(profile.ephemeralStorage, '') >= diskBytesAtMost(spec), profile.ephemeralStorage);
    // A volume of a fixed size would evict the application as well.
    assert.doesNotMatch(JSON.stringify(profile.volumes), /sizeLimit/);
  };
  fc.assert(fc.property(logging, fc.boolean(), judge), { numRuns: 500, seed: 20_261_121 });
});

test('spool, archive, journal and files together, each filled beyond its bound, stay below their shares', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const given = {
    capture: { maxBodyBytes: '16Ki' },
    spool: { maxBytes: '512Ki' },
    audit: { enabled: true, maxBytes: '1Mi' },
    targets: [{ name: 'lines', file: { path: 'lines.ndjson', maxBytes: '128Ki' } }],
  };
  const shares = diskShares(specWith(given));
  const taken = {
    spool: fillSpools(folder),
    archive: fillArchive(folder),
    files: await fillFile(folder),
    journal: fillJournal(folder),
  };
  t.diagnostic(`${JSON.stringify(taken)} of ${JSON.stringify(shares)}`);
  for (const part of ['spool', 'archive', 'files', 'journal'] as const) {
    assert.ok(
      taken[part] > 64 * 1024 && taken[part] < shares[part],
      `${part}: ${taken[part]} of ${shares[part]} bytes`,
    );
  }
});

function record(n: number): { id: string; json: Buffer } {
  const id = `019a0000-0000-7000-8000-${String(n).padStart(12, '0')}`;
  // Control characters are what JSON makes most of.
  const body = { bytes: 16_384, truncated: false, text: '\u0001'.repeat(n % 7 === 0 ? 16_384 : 600) };
  const times = { received: new Date().toISOString() };
  const attempts: never[] = [];
  const facts = {
    version: 1,
    id,
    exchange: id,
    times,
    attempts,
    status: 200,
    end: 'complete',
    dialect: 'anthropic',
    model: {},
  };
  const request = { method: 'POST', target: '/v1/messages', headers: [], body };
  return {
    id,
    json: Buffer.from(JSON.stringify({ ...facts, offsetsMs: {}, request, response: { headers: [], body } })),
  };
}

const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => statSync(join(folder, path)))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0);

/** Three in a row, the first two set aside as damaged ones are. @returns bytes, with the last one open */
function fillSpools(state: string): number {
  const folder = join(state, 'spool');
  mkdirSync(folder);
  for (let life = 0; life < 4; life++) {
    const options = { maxBytes: MIB / 2, maxAgeMs: DAY_MS, keepMs: 5_000 };
    const store = new SpoolStore(openDatabase(join(folder, 'spool.db')), options, new Ledger());
    store.subscribe('store');
    for (let n = 0; n < 60; n++) {
      store.add(
        Array.from({ length: 10 }, (_, index) => record(10 * n + index)),
        Date.now(),
      );
    }
    assert.ok(store.stripped > 0);
    if (life === 3) return sizeOf(folder);
    store.close();
    setAside(folder, Date.now() + life);
  }
  return 0;
}

function fillArchive(state: string): number {
  const folder = join(state, 'audit');
  mkdirSync(folder);
  const store = new AuditStore(openArchive(join(folder, 'audit.db')), { maxBytes: MIB, maxAgeMs: DAY_MS });
  for (let n = 0; n < 100; n++) store.add(Array.from({ length: 10 }, (_, index) => record(10 * n + index).json));
  return sizeOf(folder);
}

function fillJournal(state: string): number {
  const folder = join(state, 'journal');
  const journal = new Journal(folder, (error) => assert.fail(String(error)));
  const target = `/v1/messages?${'x'.repeat(2_000)}`;
  for (let n = 0; n < 500; n++) {
    const { id } = record(n);
    journal.now({ mark: 'opened', id, atEpochMs: Date.now(), method: 'POST', target, dialect: 'anthropic' });
    journal.now({ mark: 'closed', id });
  }
  return sizeOf(folder);
}

async function fillFile(state: string): Promise<number> {
  const folder = join(state, 'file');
  mkdirSync(folder);
  const sink = new FileSink({ stateDirectory: folder, path: 'lines.ndjson', maxBytes: 128 * 1024 });
  for (let n = 0; n < 200; n++) await sink.write(Buffer.concat([record(n).json, Buffer.from('\n')]));
  await sink.close();
  return sizeOf(folder);
}
