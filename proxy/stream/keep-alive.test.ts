import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { Dialect } from '#contract/dialect.ts';
import type { Verdict } from '../exchange.ts';
import { KeepAlive } from './keep-alive.ts';

const AFTER_MS = 1000;

interface Scene {
  readonly written: string[];
  movedAtMs: number;
  verdict: Verdict;
  client: { chunked: boolean; pendingBytes: number };
  readonly keepAlive: KeepAlive;
  /** Lets time pass. */
  wait(ms: number): void;
}

function scene(t: TestContext, dialect: Dialect = 'anthropic'): Scene {
  let now = 0;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => now);
  const written: string[] = [];
  const client = {
    chunked: true,
    pendingBytes: 0,
    write: (bytes: Buffer) => {
      written.push(bytes.toString());
      return true;
    },
  };
  const made: Scene = {
    written,
    movedAtMs: 0,
    verdict: { terminal: 'missing', error: undefined, content: false, atBoundary: true },
    client,
    keepAlive: new KeepAlive({ afterMs: AFTER_MS, dialect, client, tap: { verdict: () => made.verdict } }),
    wait: (ms) => {
      for (let passed = 0; passed < ms; passed += 100) {
        now += 100;
        t.mock.timers.tick(100);
      }
    },
  };
  made.keepAlive.start(() => made.movedAtMs);
  return made;
}

test('KeepAlive pings after each span of silence, and not before', (t) => {
  const s = scene(t);
  s.wait(900);
  assert.deepEqual(s.written, []);
  s.wait(100);
  assert.deepEqual(s.written, ['event: ping\ndata: {"type": "ping"}\n\n']);
  s.wait(2000);
  assert.equal(s.written.length, 3);
  s.keepAlive.stop();
  s.wait(5000);
  assert.equal(s.written.length, 3);
});

test('KeepAlive says nothing while the upstream moves', (t) => {
  const s = scene(t);
  for (let count = 1; count <= 10; count += 1) {
    s.wait(500);
    s.movedAtMs = count * 500;
  }
  assert.deepEqual(s.written, []);
  s.wait(1000);
  assert.equal(s.written.length, 1);
});

test('KeepAlive never speaks inside an event, after the terminal one, or to a client that has not read', (t) => {
  const s = scene(t);
  const ready = s.verdict;
  s.verdict = { ...ready, atBoundary: false };
  s.wait(3000);
  s.verdict = { ...ready, terminal: 'seen' };
  s.wait(3000);
  s.verdict = ready;
  s.client.pendingBytes = 1;
  s.wait(3000);
  assert.deepEqual(s.written, []);
  s.client.pendingBytes = 0;
  s.wait(1000);
  assert.equal(s.written.length, 1);
});

test('KeepAlive sends a comment to clients of other dialects', (t) => {
  const s = scene(t, 'openai');
  s.wait(1000);
  assert.deepEqual(s.written, [': ping\n\n']);
});
