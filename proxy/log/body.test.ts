import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { type BodyRules, cutAtCharacter, draftBody, finishBody, type RecordedBody, readBody } from './body.ts';
import { BodyCapture, CaptureBudget } from './capture.ts';
import { recordHeaders, recordTarget } from './headers.ts';

const PLAIN: BodyRules = { maxBytes: 1024, jsonPaths: [], redacts: false };
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

function captured(chunks: Iterable<Buffer>, limitBytes = 1024, budget = new CaptureBudget(1e9)): BodyCapture {
  const capture = new BodyCapture(limitBytes, budget);
  for (const chunk of chunks) capture.push(chunk);
  return capture;
}

async function recorded(bytes: Buffer, rules = PLAIN, encoding?: string): Promise<RecordedBody> {
  const capture = captured([bytes], rules.maxBytes);
  const draft = draftBody(capture, await readBody(capture, encoding, 1 << 20), rules);
  return finishBody(draft, draft.content);
}

describe('BodyCapture', () => {
  it('keeps the first bytes, counts and digests all, in any chunking', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(3000),
        (data, step, limit) => {
          const bytes = Buffer.from(data);
          const chunks: Buffer[] = [];
          for (let i = 0; i < bytes.length; i += step) chunks.push(bytes.subarray(i, i + step));
          const budget = new CaptureBudget(5000);
          const capture = captured(chunks, limit, budget);
          assert.equal(capture.sizeBytes, bytes.length);
          assert.ok(capture.keptBytes >= Math.min(limit, bytes.length) && capture.keptBytes < limit + step);
          assert.deepEqual(capture.bytes(), bytes.subarray(0, capture.keptBytes));
          assert.equal(capture.sha256(), sha256(bytes));
          assert.equal(budget.leftBytes, 5000 - capture.keptBytes);
          capture.release();
          capture.release();
          assert.equal(budget.leftBytes, 5000);
        },
      ),
      { numRuns: 200, seed: 20_261_121 },
    );
  });

  it('joins small chunks, so that a kept byte costs about a byte', () => {
    const capture = captured(
      Array.from({ length: 100_000 }, (_, i) => Buffer.from([i & 0xff])),
      1 << 20,
    );
    assert.equal(capture.keptBytes, 100_000);
    assert.equal(capture.bytes()[99_999], 99_999 & 0xff);
  });

  it('goes on counting when all memory for bodies is taken', () => {
    const budget = new CaptureBudget(100);
    const first = captured([Buffer.alloc(80)], 1024, budget);
    const second = captured([Buffer.alloc(80, 1)], 1024, budget);
    assert.deepEqual([second.keptBytes, second.sizeBytes, second.sha256()], [0, 80, sha256(Buffer.alloc(80, 1))]);
    first.release();
    assert.equal(budget.leftBytes, 100);
  });
});

describe('recorded body', () => {
  it('is text when it is UTF-8, and base64 when not', async () => {
    const text = await recorded(Buffer.from('Grüße'));
    assert.deepEqual(text, { bytes: 7, sha256: sha256(Buffer.from('Grüße')), truncated: false, text: 'Grüße' });
    const binary = Buffer.from([0xff, 0x00, 0xfe]);
    assert.deepEqual(await recorded(binary), { bytes: 3, sha256: sha256(binary), truncated: false, base64: '/wD+' });
  });

  it('is cut at a character and marked, whatever the limit', async () => {
    const bytes = Buffer.from('aé世🌍b');
    for (let maxBytes = 0; maxBytes <= bytes.length; maxBytes++) {
      const body = await recorded(bytes, { ...PLAIN, maxBytes });
      assert.ok('aé世🌍b'.startsWith(body.text ?? 'missing'), `${maxBytes}: ${body.text}`);
      assert.equal(body.truncated, body.text !== 'aé世🌍b');
      assert.equal(body.bytes, bytes.length);
    }
    assert.equal(cutAtCharacter(Buffer.from('abc')).length, 3);
  });

  const compressors: [string, (bytes: Buffer) => Buffer][] = [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
    ['zstd', zstdCompressSync],
  ];
  for (const [encoding, compress] of compressors) {
    it(`is unpacked from ${encoding}, also when it was cut`, async () => {
      const text = 'event: ping\ndata: {"type": "ping"}\n\n'.repeat(20);
      const whole = await recorded(compress(Buffer.from(text)), PLAIN, encoding);
      assert.deepEqual([whole.text, whole.decoded, whole.truncated], [text, encoding, false]);
      const noise = createHash('sha512').update('x').digest('hex').repeat(3) + text;
      const packed = compress(Buffer.from(noise));
      const cut = await recorded(packed.subarray(0, packed.length - 12), PLAIN, encoding);
      assert.ok(noise.startsWith(cut.text ?? 'missing'));
    });
  }

  it('does not unpack without bound', async () => {
    const body = await recorded(gzipSync(Buffer.alloc(50 * 1024 * 1024, 'a')), { ...PLAIN, maxBytes: 1 << 20 }, 'gzip');
    assert.equal(body.text?.length, 1 << 20);
    assert.equal(body.truncated, true);
  });

  it('is withheld when it cannot be unpacked and something is to be hidden in bodies', async () => {
    const rules = { ...PLAIN, redacts: true };
    assert.equal((await recorded(Buffer.from('secret'), rules, 'unheard-of')).withheld, 'undecodable');
    assert.equal((await recorded(Buffer.from('secret'), rules, 'gzip')).withheld, 'undecodable');
    assert.equal(
      (await recorded(Buffer.from('plain'), PLAIN, 'unheard-of')).base64,
      Buffer.from('plain').toString('base64'),
    );
  });

  it('is redacted by path, also when it is no UTF-8 or was compressed', async () => {
    const rules = { ...PLAIN, jsonPaths: [['user', 'id']], redacts: true };
    const json = Buffer.from('{"user":{"id":"S3CRET"},"x":"é"}');
    assert.ok(!(await recorded(json, rules)).text?.includes('S3CRET'));
    assert.ok(!(await recorded(gzipSync(json), rules, 'gzip')).text?.includes('S3CRET'));
    const broken = Buffer.concat([json.subarray(0, -3), Buffer.from([0xff]), json.subarray(-3)]);
    const shown = Buffer.from((await recorded(broken, rules)).base64 ?? '', 'base64');
    assert.ok(shown.includes('user') && !shown.includes('S3CRET'));
  });
});

describe('recorded headers', () => {
  it('lack every credential, whatever its case, and tell its name', () => {
    const raw = [
      'Authorization',
      'Bearer k',
      'X-API-Key',
      'k',
      'api-key',
      'k',
      'Proxy-Authorization',
      'k',
      'Cookie',
      'k',
      'SET-cookie',
      'k',
    ];
    const more = ['x-goog-api-key', 'k', 'X-Amz-Security-Token', 'k', 'x-client-secret', 'k', 'X-Ours', 'k'];
    const { headers, removed } = recordHeaders([...raw, ...more, 'Accept', '*/*'], new Set(['x-ours']), new Set());
    assert.deepEqual(headers, [['Accept', '*/*']]);
    assert.equal(removed.length, 10);
  });

  it('know credentials by the end of their name, however its words are told apart', () => {
    const joined = ['X-AuthToken', 'AccessToken', 'X-SessionToken', 'X-ClientSecret', 'x-userpassword', 'X-MyPasswd'];
    const short = ['SubscriptionKey', 'accesskey', 'SASKey', 'X-API2Key', 'x-odd-key', 'KEY', 'ProxyAuth', 'x_auth'];
    const other = ['x-reqsignature', 'AwsCredentials', 'X-Amzn-OidcAuthorization', 'ocp-apim-subscription-key'];
    const names = [...joined, ...short, ...other];
    const raw = names.flatMap((name) => [name, 'S3CRET']);
    assert.deepEqual(recordHeaders(raw, new Set(), new Set()), {
      headers: [],
      removed: names.map((name) => name.toLowerCase()),
      redacted: 0,
    });
  });

  it('keep what only sounds like one, and hide what the config names', () => {
    const kept = ['anthropic-ratelimit-tokens-remaining', 'x-request-tokens', 'X-MaxTokens', 'x-monkey', 'Keyboard'];
    const more = ['X-User-Email', 'a@b', 'X-User-Email', 'c@d'];
    const raw = [...kept.flatMap((name) => [name, '7']), ...more];
    const { headers, redacted } = recordHeaders(raw, new Set(), new Set(['x-user-email']));
    assert.deepEqual(
      headers.map(([, value]) => value),
      [...kept.map(() => '7'), '[redacted]', '[redacted]'],
    );
    assert.equal(redacted, 2);
  });

  it('recordTarget() takes the values of credential parameters out of the query', () => {
    assert.equal(
      recordTarget('/v1/x?beta=true&key=AIza1&Access_Token=b&a%70i_key=c'),
      '/v1/x?beta=true&key=[redacted]&Access_Token=[redacted]&a%70i_key=[redacted]',
    );
    for (const name of ['accessToken', 'authToken', 'clientSecret', 'subscriptionKey', 'apikey', 'sasSig', 'code'])
      assert.equal(recordTarget(`/v1/x?${name}=S3CRET&a=1`), `/v1/x?${name}=[redacted]&a=1`);
    for (const kept of ['?max_tokens=5&%zz=1', '?maxTokens=5&monkey=1&encode=2&barcode=3&oauth=4'])
      assert.equal(recordTarget(`/v1/x${kept}`), `/v1/x${kept}`);
  });
});
