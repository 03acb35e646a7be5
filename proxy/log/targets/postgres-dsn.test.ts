/** Connection strings: what they say, and that nothing of them is repeated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDsn } from './postgres-dsn.ts';

test('parseDsn() reads every part, percent-encoded ones too', () => {
  assert.deepEqual(
    parseDsn('postgresql://a%40b:p%2Fw%3F@[::1]:6432/my%20db?sslmode=verify-full&options=-c%20search_path%3Dlogs\n'),
    {
      host: '::1',
      port: 6432,
      place: '[::1]:6432',
      user: 'a@b',
      password: 'p/w?',
      database: 'my db',
      options: '-c search_path=logs',
      tls: 'full',
    },
  );
  assert.deepEqual(parseDsn('postgres://me:pw@db.svc'), {
    host: 'db.svc',
    port: 5432,
    place: 'db.svc:5432',
    user: 'me',
    password: 'pw',
    database: 'me',
  });
});

for (const text of [
  'postgres://me:12/canary@db/x',
  'postgres://canary:12#3@db/x',
  'postgres://me@canary:12?3@db/x',
  'postgres://db.svc/x?user=me',
]) {
  test(`parseDsn() shows no place of "${text}", where its host may be none`, () => {
    assert.equal(parseDsn(text).place, undefined);
  });
}

for (const [mode, tls] of [
  ['disable', 'off'],
  ['require', 'full'],
  ['verify-ca', 'authority'],
  ['verify-full', 'full'],
] as const) {
  test(`parseDsn() takes sslmode=${mode} for ${tls}`, () => {
    assert.equal(parseDsn(`postgres://me:pw@db/x?sslmode=${mode}`).tls, tls);
  });
}

for (const text of [
  'postgres://me:canary@db/x?sslmode=prefer',
  'postgres://me:canary@db/x?sslmode=no-verify',
  'mysql://me:canary@db/x',
  'host=db password=canary',
  'postgres://me:canary%zz@db/x',
  'postgres:///x?password=canary',
  '',
]) {
  test(`parseDsn() refuses "${text.replace('canary', '…')}" without repeating it`, () => {
    assert.throws(
      () => parseDsn(text),
      (error: Error) => /^Cannot (read|use) the/.test(error.message) && !error.message.includes('canary'),
    );
  });
}
