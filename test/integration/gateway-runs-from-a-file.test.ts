/** `npm start` runs a gateway too: clients with keys from the secrets' folder; what would need a cluster is said. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RawUpstream } from '../support/raw-upstream.ts';
import { selfSigned } from '../support/self-signed.ts';
import { startProcess } from '../support/start-process.ts';

const BODY = '{"model":"claude-x"}';

function resource(url: string): string {
  return `apiVersion: sluice.dev/v1alpha1
kind: StreamProxy
metadata: {name: shared}
spec:
  gateway:
    tls: {secret: {name: gateway-tls}}
    clients:
    - {name: ci, secret: {name: clients, key: ci}}
    - {name: agents, serviceAccount: {namespace: agents}}
  upstreams:
  - {name: claude, dialect: anthropic, url: "${url}", credentials: [{secret: {name: provider, key: key}}]}
  routes:
  - {name: all, upstreams: [{name: claude}]}
`;
}

function ask(port: number, ca: string, key: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/json', 'content-length': BODY.length };
    const options = { host: '127.0.0.1', port, ca, path: '/v1/messages', method: 'POST', headers, agent: false };
    const outgoing = request(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    outgoing.on('error', reject).end(BODY);
  });
}

test('a gateway runs from a file, over TLS, and lets in who has a key', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-gateway-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const upstream = await RawUpstream.start();
  t.after(() => upstream.close());
  const { cert, key } = selfSigned();
  const secrets = {
    'gateway-tls': { 'tls.crt': cert, 'tls.key': key },
    clients: { ci: 'gw-key' },
    provider: { key: 'sk-provider' },
  };
  for (const [name, values] of Object.entries(secrets)) {
    await mkdir(join(folder, 'secrets', name), { recursive: true });
    for (const [file, value] of Object.entries(values)) await writeFile(join(folder, 'secrets', name, file), value);
  }
  const file = join(folder, 'shared.yaml');
  await writeFile(file, resource(upstream.url));
  const args = ['-f', file, '--secrets', join(folder, 'secrets'), '--state', join(folder, 'state')];
  const started = startProcess(t, args);
  const url = (await started.printed(/ANTHROPIC_BASE_URL=(https:\/\/127\.0\.0\.1:\d+)\s[\s\S]*Stop it/))[1] ?? '';
  await started.printed(
    /clients\[1\]\.serviceAccount: Tokens of service accounts .*outside of Kubernetes give the client a key/,
  );
  const port = Number(new URL(url).port);
  assert.equal(await ask(port, cert, 'wrong'), 401);
  const answered = ask(port, cert, 'gw-key');
  const exchange = await upstream.next();
  assert.equal(exchange.header('x-api-key'), 'sk-provider');
  await exchange.reply(200, '{}');
  assert.equal(await answered, 200);
  started.child.kill('SIGTERM');
  assert.equal(await started.ended(), 0);
});

test('a gateway without its certificate says that no connection can be made, and takes one as soon as it is there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-gateway-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { cert, key } = selfSigned();
  const secrets = join(folder, 'secrets');
  for (const name of ['gateway-tls', 'clients', 'provider']) await mkdir(join(secrets, name), { recursive: true });
  await writeFile(join(secrets, 'clients', 'ci'), 'gw-key');
  const file = join(folder, 'shared.yaml');
  await writeFile(file, resource('http://127.0.0.1:1'));
  const started = startProcess(t, ['-f', file, '--secrets', secrets, '--state', join(folder, 'state')]);
  const [, listenPort = ''] = await started.printed(/"listenPort":(\d+)/);
  await started.printed(/Config refused; no connection can be made until one can be used.*put tls\.crt and tls\.key/);
  await assert.rejects(ask(Number(listenPort), cert, 'gw-key'));
  assert.doesNotMatch(started.stderr(), /requests get 503/);
  await writeFile(join(secrets, 'gateway-tls', 'tls.crt'), cert);
  await writeFile(join(secrets, 'gateway-tls', 'tls.key'), key);
  await started.printed(/Config in force/);
  assert.equal(await ask(Number(listenPort), cert, 'wrong'), 401);
});
