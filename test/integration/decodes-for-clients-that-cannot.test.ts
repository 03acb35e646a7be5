/** An upstream that compresses although identity was asked: passed on when the client can read it, decoded as it streams when not. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  brotliCompressSync,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { messagesRequest, ProxyProcess, simpleSpec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const STREAM =
  'event: message_start\ndata: {"type":"message_start"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n';

let upstream: RawUpstream;
let proxy: ProxyProcess;
before(async () => {
  upstream = await RawUpstream.start();
  proxy = await ProxyProcess.start(simpleSpec(upstream.url));
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

const encoded = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync };

for (const [name, compress] of Object.entries(encoded)) {
  test(`${name} is decoded for a client that does not take it, and passed on to one that does`, async () => {
    const bytes = compress(STREAM);
    for (const takes of [false, true]) {
      const header = `Accept-Encoding: ${takes ? name : 'identity'}\r\n`;
      const client = await RawClient.send(proxy.listenPort, messagesRequest('{}', header));
      const exchange = await upstream.next();
      assert.equal(exchange.header('accept-encoding'), 'identity');
      await exchange.write(
        `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: ${name}\r\ncontent-length: ${bytes.length}\r\n\r\n`,
      );
      await exchange.write(bytes);
      const answer = await client.answer();
      assert.equal(answer.headers['content-encoding'], takes ? name : undefined);
      assert.equal(answer.headers['content-length'], takes ? String(bytes.length) : undefined);
      assert.deepEqual(answer.body, takes ? bytes : Buffer.from(STREAM));
      assert.equal((await proxy.takeRecord()).end, 'complete');
      client.destroy();
    }
  });
}

const streams = { gzip: createGzip, br: createBrotliCompress, zstd: createZstdCompress };

for (const [name, create] of Object.entries(streams)) {
  test(`each event in ${name} is decoded as it comes, and a broken encoding is a cut`, async () => {
    const client = await RawClient.send(proxy.listenPort, messagesRequest());
    const exchange = await upstream.next();
    await exchange.openStream(`content-encoding: ${name}\r\n`);
    const compressor = create();
    compressor.on('data', (bytes: Buffer) => void exchange.chunk(bytes));
    for (let count = 1; count <= 3; count += 1) {
      compressor.write(`data: ${count}\n\n`);
      compressor.flush();
      await client.until((text) => text.includes(`data: ${count}`));
    }
    await exchange.chunk(Buffer.alloc(64, 0xff));
    assert.equal((await proxy.takeRecord()).end, 'upstream_cut');
    assert.equal((await client.rest()).complete, false);
  });
}
