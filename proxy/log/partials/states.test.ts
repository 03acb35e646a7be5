import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { PARTIALS_FOLDER, PartialStates, type PartialStatesOptions } from './states.ts';

const A = '019aa5f0-2c4e-7c1a-9b3e-000000000001';
const B = '019aa5f0-2c4e-7c1a-9b3e-000000000002';

const line = (id: string, sequence: number, text = ''): Buffer =>
  Buffer.from(`${JSON.stringify({ version: 1, id, sequence, partial: true, text })}\n`);

describe('PartialStates', () => {
  let state = '';
  let failures: unknown[] = [];
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'sluice-partials-'));
    failures = [];
  });
  afterEach(() => rmSync(state, { recursive: true, force: true }));
  const open = (options?: PartialStatesOptions): PartialStates =>
    new PartialStates(state, (error) => failures.push(error), options);
  const folder = (): string => join(state, PARTIALS_FOLDER);
  const files = (): string[] => readdirSync(folder()).sort();
  const gone = async (name: string): Promise<void> => {
    while (files().includes(name)) await new Promise(setImmediate);
  };

  it('gives the next start the newest state of what was open, and removes everything else', async () => {
    const first = open();
    first.recover(new Set());
    for (const [id, sequence] of [
      [A, 0],
      [B, 0],
      [A, 1],
    ] as const)
      await first.keep(id, line(id, sequence));
    writeFileSync(join(folder(), `${A}.next`), '{"half');
    const next = open();
    next.recover(new Set([A]));
    assert.equal(next.read(A)?.sequence, 1);
    assert.equal(next.read(B), undefined);
    await gone(B);
    await gone(`${A}.next`);
    assert.deepEqual(files(), [A]);
    next.forget(A);
    await gone(A);
    assert.deepEqual(failures, []);
  });

  it('leaves no file of a stream that ends while it is being written', async () => {
    const states = open();
    const kept = states.keep(A, line(A, 0));
    states.forget(A);
    await kept;
    await gone(A);
    assert.deepEqual(files(), []);
    await states.keep(A, line(A, 1));
    assert.deepEqual(files(), [A], 'a later one is kept');
  });

  it('keeps to its bound over all streams, and lets a newer state take the place of its own', async () => {
    const states = open({ mostBytes: 300 });
    await states.keep(A, line(A, 0, 'x'.repeat(150)));
    await states.keep(B, line(B, 0, 'x'.repeat(150)));
    assert.deepEqual(files(), [A]);
    await states.keep(A, line(A, 1, 'y'.repeat(150)));
    assert.match(readFileSync(join(folder(), A), 'utf8'), /yyy/);
    states.forget(A);
    await states.keep(B, line(B, 1, 'x'.repeat(150)));
    await gone(A);
    assert.deepEqual(files(), [B]);
  });

  it('writes no file whose name is no id, and reads no file that is not what it should be', async () => {
    const states = open();
    await states.keep('../open', line('../open', 0));
    await states.keep(A, line(A, 0));
    assert.deepEqual(readdirSync(state), [PARTIALS_FOLDER]);
    for (const text of ['{"version":1', JSON.stringify({ version: 2, id: A, partial: true }), line(B, 0).toString()]) {
      writeFileSync(join(folder(), A), text);
      assert.equal(states.read(A), undefined, text);
    }
  });

  it('writes nothing into a directory that another process has', async () => {
    let ours = false;
    const states = open({ mayWrite: () => ours });
    await states.keep(A, line(A, 0));
    assert.deepEqual(readdirSync(state), []);
    ours = true;
    await states.keep(A, line(A, 1));
    assert.deepEqual(files(), [A]);
  });

  it('tells of a folder that cannot be written, and tries again', async () => {
    writeFileSync(folder(), 'in the way');
    const states = open();
    await states.keep(A, line(A, 0));
    assert.equal(failures.length, 1);
    rmSync(folder());
    mkdirSync(folder());
    await states.keep(A, line(A, 1));
    assert.deepEqual(files(), [A]);
  });
});
