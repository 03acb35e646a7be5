/** Promise: what was said is found again: words that chunks cut, after kill -9 and a restart, by every filter, page by page, and by nobody else. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { events, type Found, find, get, KEPT, kept, scene, spec, talk } from '../support/audit/conversations.ts';

const marked = ({ hits }: Found): string[] =>
  hits.map(({ snippet }) => snippet.map(({ text, match }) => (match ? `[${text}]` : text)).join(''));
const ids = ({ hits }: Found): string[] => hits.map(({ id }) => id);

test('audit: words of prompts and answers are found across chunk borders, in any case and accent, and the whole record with them', async (t) => {
  const s = await scene(t);
  const id = await talk(s, 'Tell me about the Kormoran', [
    'A ma',
    'gnifi',
    'cent bird',
    ' dives dee',
    'ply. Gr',
    'üße',
  ]);
  await talk(s, 'Something else', ['entirely']);
  await kept(s.proxy, 2);
  const found = await find(s.proxy, 'q=magnificent');
  assert.deepEqual([ids(found), marked(found)], [[id], ['A [magnificent] bird dives deeply. Grüße']]);
  for (const query of ['kormoran', 'KORMORAN deeply', 'gruße', 'GRÜSSE', '"bird dives"', 'magnif*', '"a magnif"*']) {
    const expected = query === 'GRÜSSE' ? [] : [id];
    assert.deepEqual(ids(await find(s.proxy, `q=${encodeURIComponent(query)}`)), expected, query);
  }
  for (const nothing of [
    'kormoran entirely',
    '---',
    '"',
    'prompt:kormoran OR NOT(',
    'content_block_delta',
    'bird dove',
    'magnif',
  ]) {
    assert.deepEqual(ids(await find(s.proxy, `q=${encodeURIComponent(nothing)}`)), [], nothing);
  }
  const record = JSON.parse((await get(s.proxy, `/gateway/audit/${id}`)).text) as {
    id: string;
    response: { body: { text: string } };
  };
  assert.equal(record.id, id);
  assert.equal(
    record.response.body.text,
    events('A ma', 'gnifi', 'cent bird', ' dives dee', 'ply. Gr', 'üße').join(''),
  );
  const { turns } = JSON.parse((await get(s.proxy, `/gateway/audit/${id}/conversation`)).text) as { turns: unknown };
  assert.deepEqual(turns, [
    { role: 'user', parts: [{ kind: 'text', text: 'Tell me about the Kormoran' }] },
    { role: 'assistant', parts: [{ kind: 'text', text: 'A magnificent bird dives deeply. Grüße' }] },
  ]);
  assert.equal((await get(s.proxy, '/gateway/audit/nobody')).status, 404);
});

test('audit: filters by time, route, model, end, agent and id; pages and the export hold each record once', async (t) => {
  const s = await scene(t);
  const one = await talk(s, 'apple one', ['x'], 'x-agent-name: writer\r\n');
  await kept(s.proxy, 1);
  const [{ received } = assert.fail('nothing kept')] = (await find(s.proxy, '')).hits;
  const rest: string[] = [];
  for (let i = 0; i < 6; i++) rest.unshift(await talk(s, `apple more${i}`, ['y']));
  await kept(s.proxy, 7);
  const all = [...rest, one];
  assert.deepEqual(ids(await find(s.proxy, 'q=apple')), all);
  for (const query of [
    'agent=writer',
    'route=drafts',
    `id=${one}`,
    'q=apple+one',
    `q=apple&id=${one}`,
    'q=apple&agent=writer&model=claude-*&end=complete',
  ]) {
    assert.deepEqual(ids(await find(s.proxy, query)), [one], query);
  }
  for (const query of [
    'agent=nobody',
    'route=al',
    'model=claude',
    'end=killed',
    'id=x',
    `to=${received}`,
    'q=apple&route=none',
  ]) {
    assert.deepEqual(ids(await find(s.proxy, query)), [], query);
  }
  assert.deepEqual(ids(await find(s.proxy, `from=${received}&model=*opus*`)), all);
  const paged: string[] = [];
  for (let cursor: string | undefined, i = 0; i < 9; i++) {
    const page = await find(s.proxy, `q=apple&limit=3${cursor ? `&cursor=${cursor}` : ''}`);
    paged.push(...ids(page));
    cursor = page.next;
    if (cursor === undefined) break;
  }
  assert.deepEqual(paged, all);
  const exported = await get(s.proxy, '/gateway/audit?q=apple', { accept: 'application/x-ndjson' });
  assert.equal(exported.headers['content-type'], 'application/x-ndjson');
  const lines = exported.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; request: object });
  assert.deepEqual(
    lines.map((line) => line.id),
    all,
  );
  assert.ok(lines.every((line) => 'body' in line.request));
  for (const [query, problem] of [
    ['q=a&color=red', /\\"color\\" is no parameter/],
    ['from=yesterday', /Write from as a time/],
    ['limit=9999', /Write limit as a whole number, at most 200/],
    ['end=well', /Use one of complete/],
    [`q=${'x'.repeat(600)}`, /Write at most 512 characters for q/],
  ] as const) {
    const refused = await get(s.proxy, `/gateway/audit?${query}`);
    assert.equal(refused.status, 400);
    assert.match(refused.text, problem);
  }
});

test('audit: records outlive kill -9, and a damaged archive is set aside while everything goes on', async (t) => {
  const state = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  t.after(() => rm(state, { recursive: true, force: true }));
  const env = { SLUICE_STATE_DIR: state };
  const first = await scene(t, KEPT, env);
  const id = await talk(first, 'remember the heron', ['I ', 'shall']);
  await kept(first.proxy, 1);
  first.proxy.signal('SIGKILL');
  await first.proxy.exited;
  const second = await scene(t, KEPT, env);
  await kept(second.proxy, 1);
  assert.deepEqual(ids(await find(second.proxy, 'q=heron')), [id]);
  second.proxy.signal('SIGKILL');
  await second.proxy.exited;
  // Its log of changes goes, too: from that alone SQLite would bring everything back.
  await rm(join(state, 'audit/audit.db-wal'), { force: true });
  await writeFile(
    join(state, 'audit/audit.db'),
    'this is no database, and longer than a header of one would be '.repeat(99),
  );
  const third = await scene(t, KEPT, env);
  const after = await talk(third, 'the heron again', ['yes']);
  await kept(third.proxy, 1);
  assert.deepEqual(ids(await find(third.proxy, 'q=heron')), [after]);
  assert.ok((await readdir(join(state, 'audit'))).some((name) => name.startsWith('audit.db.corrupt-')));
  await third.proxy.logged(({ message }) => String(message).includes('archive of records is damaged'));
});

test('audit: a state folder that cannot be written keeps no record and harms no stream', async (t) => {
  const state = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  t.after(() => rm(state, { recursive: true, force: true }));
  await writeFile(join(state, 'audit'), 'a file where the folder should be');
  const s = await scene(t, KEPT, { SLUICE_STATE_DIR: state });
  assert.ok(await talk(s, 'hello', ['there']));
  const said = await s.proxy.logged(({ message }) => String(message).startsWith('Cannot use the archive of records'));
  assert.equal(said['path'], join(state, 'audit/audit.db'));
  assert.match(String(said['problem']), /^E[A-Z]+: /);
  assert.ok(await talk(s, 'hello', ['again']));
  assert.equal((await get(s.proxy, '/gateway/audit')).status, 503);
});

test('audit: it is there for who asks by a loopback name alone, while the config asks for it, and nothing stays when it no longer does', async (t) => {
  const s = await scene(t, {});
  for (const path of ['/gateway/audit', '/gateway/audit/x', '/gateway/', '/gateway']) {
    const refused = await get(s.proxy, path);
    assert.equal(refused.status, 404);
    assert.match(refused.text, /set logging.audit.enabled/);
  }
  await s.proxy.apply(spec(s.upstream.url, KEPT));
  await talk(s, 'a secret thought', ['kept']);
  await kept(s.proxy, 1);
  const folder = join(s.proxy.directory, 'audit');
  assert.ok(existsSync(folder));
  for (const path of ['/gateway/audit', '/gateway/']) {
    const foreign = await get(s.proxy, path, { host: 'evil.example' });
    assert.deepEqual([foreign.status, /secret|<html/.test(foreign.text)], [403, false]);
    const own = await get(s.proxy, path, { origin: 'http://evil.example' });
    assert.equal(own.headers['access-control-allow-origin'], undefined);
    assert.equal(own.headers['cross-origin-resource-policy'], 'same-origin');
  }
  const page = await get(s.proxy, '/gateway/');
  assert.match(
    String(page.headers['content-security-policy']),
    /default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+';/,
  );
  assert.doesNotMatch(page.text, /<!-- (style|script) -->|(src|href)="https?:/);
  await s.proxy.apply(spec(s.upstream.url, {}));
  assert.equal((await get(s.proxy, '/gateway/audit')).status, 404);
  while (existsSync(folder)) await pause(20);
});
