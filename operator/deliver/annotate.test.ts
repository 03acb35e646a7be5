import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextAnnotation } from './annotate.ts';

const CASES: readonly { title: string; current: string; behindMs: number; next: string | undefined }[] = [
  { title: 'a pod that was told nothing', current: '', behindMs: 0, next: 'r2' },
  { title: 'a pod that was told of another revision', current: 'r1', behindMs: 0, next: 'r2' },
  { title: 'another revision, told again', current: 'r1.7', behindMs: 0, next: 'r2' },
  { title: 'just told', current: 'r2', behindMs: 0, next: undefined },
  { title: 'not confirmed for a moment', current: 'r2', behindMs: 1999, next: undefined },
  { title: 'not confirmed for 2 s', current: 'r2', behindMs: 2000, next: 'r2.1' },
  { title: 'told again, not confirmed for 2 s', current: 'r2.1', behindMs: 2000, next: undefined },
  { title: 'told again, not confirmed for 8 s', current: 'r2.1', behindMs: 8000, next: 'r2.2' },
  { title: 'told thrice more', current: 'r2.3', behindMs: 329_999, next: undefined },
  { title: 'told thrice more, after five minutes', current: 'r2.3', behindMs: 330_000, next: 'r2.4' },
  { title: 'a suffix that is none of ours', current: 'r2.x', behindMs: 0, next: 'r2' },
];

for (const { title, current, behindMs, next } of CASES) {
  test(`nextAnnotation(): ${title}`, () => assert.equal(nextAnnotation(current, 'r2', behindMs), next));
}
