/** Promise: with spec.sidecar, workspace tools work on a volume that the application shares, and reach nothing else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { list, podTemplate } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { until } from '../support/cluster/wait.ts';

const UPSTREAMS = [{ name: 'claude' }];
const SPEC = {
  sidecar: {
    volumeMounts: [
      { name: 'work', mountPath: '/workspace' },
      { name: 'work', mountPath: '/manuals', subPath: 'published', readOnly: true },
    ],
    stateVolume: { name: 'records', subPath: 'sluice' },
    resources: { requests: { cpu: '7m' }, limits: { memory: '300Mi' } },
  },
  routes: [
    {
      name: 'manuals',
      match: { headers: [{ name: 'x-folder', values: ['manuals'] }] },
      upstreams: UPSTREAMS,
      toolLoop: { workspace: { directory: '/manuals', allow: ['list', 'read', 'write'] }, calls: 'shown' },
    },
    {
      name: 'work',
      upstreams: UPSTREAMS,
      toolLoop: { workspace: { directory: '/workspace', allow: ['list', 'read', 'write'] }, calls: 'shown' },
    },
  ],
  logging: { targets: [{ name: 'file', file: { path: 'records.ndjson' } }] },
};

let ready: Installed;
let stage: Scene;

/** The application has a user of its own, and shares its volumes by the pod's fsGroup. */
function application(): object {
  const { metadata, spec } = podTemplate({
    name: 'app',
    image: ready.testImage,
    inject: 'llm',
    args: ['client', 'idle'],
  }) as { metadata: object; spec: { containers: [object] } };
  const volumeMounts = [
    { name: 'work', mountPath: '/shared' },
    { name: 'records', mountPath: '/records' },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: 'app' },
    spec: {
      ...spec,
      securityContext: { fsGroup: 2000 },
      containers: [{ ...spec.containers[0], volumeMounts }],
      volumes: ['work', 'records'].map((name) => ({ name, emptyDir: {} })),
    },
  };
}

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'workspace');
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl, SPEC)));
  await stage.condition('llm', 'Programmed', 'True');
  await stage.apply(list(application()));
  await stage.podOf('app');
});

after(() => stage?.end());

/** Runs a program of JavaScript in the application's container. @returns what it prints */
function inApplication(code: string): Promise<string> {
  return stage.exec('app', ['/usr/local/bin/node', '--input-type=module', '-e', code]);
}

interface Result {
  readonly isError: boolean;
  readonly text: string;
}

/** The application asks, the model calls that tool, and the answer shows the call's result. */
async function call(tool: string, args: object, folder = 'work'): Promise<Result> {
  const scenario = `tool=1&call=workspace_${tool}&arguments=${encodeURIComponent(JSON.stringify(args))}`;
  const body = { model: `scripted?${scenario}`, max_tokens: 64, messages: [{ role: 'user', content: 'Go on.' }] };
  const headers = { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-folder': folder };
  const init = JSON.stringify({ method: 'POST', headers, body: JSON.stringify(body) });
  const said = await inApplication(
    `console.log(await (await fetch(process.env.ANTHROPIC_BASE_URL + '/v1/messages', ${init})).text())`,
  );
  const message = JSON.parse(said) as {
    content?: { type: string; is_error?: boolean; content?: { text: string }[] }[];
  };
  const shown = message.content?.find(({ type }) => type === 'mcp_tool_result');
  assert.ok(shown, said);
  return { isError: shown.is_error ?? false, text: (shown.content ?? []).map(({ text }) => text).join('') };
}

test('a tool lists and reads what the application wrote', async () => {
  await inApplication(`
    import { mkdirSync, writeFileSync } from 'node:fs';
    mkdirSync('/shared/notes');
    writeFileSync('/shared/notes/plan.txt', 'Grüße vom Programm 🌊');
  `);
  assert.deepEqual(await call('list', {}), { isError: false, text: 'notes/\npublished/' });
  assert.deepEqual(await call('list', { path: 'notes' }), { isError: false, text: 'plan.txt' });
  assert.deepEqual(await call('read', { path: 'notes/plan.txt' }), { isError: false, text: 'Grüße vom Programm 🌊' });
});

test('the application sees what a tool wrote', async () => {
  const { isError, text } = await call('write', { path: 'made/answer.txt', content: 'Geschrieben ✍️' });
  assert.equal(isError, false, text);
  const seen = await inApplication(`
    import { readFileSync, statSync } from 'node:fs';
    const { uid, gid } = statSync('/shared/made/answer.txt');
    console.log(JSON.stringify({ text: readFileSync('/shared/made/answer.txt', 'utf8'), uid, gid }));
  `);
  assert.deepEqual(JSON.parse(seen), { text: 'Geschrieben ✍️', uid: 64019, gid: 2000 });
});

test('paths and links that lead out of the volume are refused, and nothing is told of what lies there', async () => {
  await inApplication(`
    import { symlinkSync } from 'node:fs';
    symlinkSync('/etc/sluice/config.json', '/shared/link-to-file');
    symlinkSync('/etc/sluice', '/shared/link-to-folder');
  `);
  const config = '../etc/sluice/config.json';
  for (const path of [
    config,
    `notes/../${config}`,
    '/etc/sluice/config.json',
    'link-to-file',
    'link-to-folder/config.json',
  ]) {
    for (const [tool, args] of [
      ['read', { path }],
      ['list', { path }],
      ['write', { path, content: 'x' }],
    ] as const) {
      const { isError, text } = await call(tool, args);
      assert.equal(isError, true, `${tool} ${path}: ${text}`);
      assert.doesNotMatch(text, /upstreams|claude/, path);
    }
  }
});

test('a mount that is read-only is read and not written', async () => {
  await inApplication(`
    import { writeFileSync } from 'node:fs';
    writeFileSync('/shared/published/manual.txt', 'Read me');
  `);
  assert.deepEqual(await call('read', { path: 'manual.txt' }, 'manuals'), { isError: false, text: 'Read me' });
  const { isError, text } = await call('write', { path: 'new.txt', content: 'x' }, 'manuals');
  assert.equal(isError, true);
  assert.match(text, /is read-only/);
});

test("the sidecar's state lies on the volume that the StreamProxy names", async () => {
  const read = `
    import { readFileSync } from 'node:fs';
    console.log(readFileSync('/var/lib/sluice/records.ndjson', 'utf8'));
  `;
  const command = ['/usr/local/bin/node', '--input-type=module', '-e', read];
  const lines = await until(
    'a record in the file',
    async () => (await stage.exec('app', command, 'sluice')).trim() || undefined,
  );
  const record = JSON.parse(lines.split('\n')[0] ?? '') as { route?: string; end?: string };
  assert.deepEqual([record.route, record.end], ['work', 'complete']);
  const seen = await inApplication(`
    import { statSync } from 'node:fs';
    const { uid, gid, size } = statSync('/records/sluice/records.ndjson');
    console.log(JSON.stringify({ uid, gid, written: size > 0 }));
  `);
  assert.deepEqual(JSON.parse(seen), { uid: 64019, gid: 2000, written: true });
});

interface PodObject {
  readonly spec: {
    readonly volumes: readonly { readonly name: string }[];
    readonly initContainers: readonly {
      readonly resources: unknown;
      readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    }[];
  };
}

test('the sidecar has the resources that the StreamProxy gives, and only the volumes that it names', async () => {
  const { spec } = await ready.kubectl.get<PodObject>(['-n', stage.namespace, 'pod', 'app']);
  const [sidecar] = spec.initContainers;
  assert.deepEqual(sidecar?.resources, { requests: { cpu: '7m', memory: '48Mi' }, limits: { memory: '300Mi' } });
  assert.deepEqual(
    sidecar?.volumeMounts.map(({ name, mountPath }) => `${name} ${mountPath}`),
    [
      'sluice-config /etc/sluice',
      'sluice-no-token /var/run/secrets/kubernetes.io/serviceaccount',
      'work /workspace',
      'work /manuals',
      'records /var/lib/sluice',
    ],
  );
  assert.ok(!spec.volumes.some(({ name }) => name === 'sluice-state'));
});
