import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createLogger } from './logger.ts';

function captured(options: { level?: 'debug' | 'warn'; secrets?: string[] } = {}) {
  const lines: string[] = [];
  const { level, secrets = [] } = options;
  const logger = createLogger({
    write: (line) => lines.push(line),
    secrets: () => secrets,
    ...(level ? { level } : {}),
  });
  return { logger, lines };
}

describe('logger', () => {
  it('writes one JSON line with time, level, message and fields', () => {
    const { logger, lines } = captured();
    logger.info('Listening', { port: 8019 });
    assert.equal(lines.length, 1);
    assert.ok(lines[0]?.endsWith('}\n'));
    const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    assert.deepEqual(rest, { level: 'info', message: 'Listening', port: 8019 });
    assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('leaves out what is below its level', () => {
    const { logger, lines } = captured({ level: 'warn' });
    logger.debug('a');
    logger.info('b');
    logger.warn('c');
    logger.error('d');
    assert.equal(lines.length, 2);
  });

  it('never writes a credential, wherever it stands', () => {
    const key = 'sk-ant-api03-abcdefghijklmnop';
    const { logger, lines } = captured({ secrets: ['a-mounted-credential'] });
    logger.error(`Cannot reach https://user:hunter2@db/ with ${key}`, {
      headers: { 'X-Api-Key': 'plain', Authorization: ['Bearer abc'], 'set-cookie': 'x' },
      error: new Error(`Bearer ${key}`, { cause: new Error('a-mounted-credential') }),
      nested: [{ deep: { list: [`q?key=${key}&b=1`, 'a-mounted-credential in text'] } }],
      accessToken: 'plain',
      'a-mounted-credential': 1,
      dsn: 'postgres://u:p@h/d',
    });
    const line = lines.join('');
    for (const secret of [key, 'hunter2', 'plain', 'Bearer abc', 'a-mounted-credential', 'u:p@']) {
      assert.ok(!line.includes(secret), `${secret} in ${line}`);
    }
    assert.match(line, /Cannot reach/);
  });

  it('keeps counts whose name only sounds like a secret', () => {
    const { logger, lines } = captured();
    logger.info('x', { outputTokens: 12, token: 7 });
    assert.match(lines[0] ?? '', /"outputTokens":12,"token":7/);
  });

  it('never throws, whatever it is given', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const { logger, lines } = captured();
    logger.info('cycle', cycle);
    logger.info('bytes', { buffer: Buffer.from('secret'), big: 1n, fn: () => 1 });
    assert.equal(lines.length, 2);
    assert.ok(!lines.join('').includes('secret'));
    fc.assert(
      fc.property(fc.string(), fc.object(), (message, fields) => {
        const written = captured();
        written.logger.info(message, fields);
        assert.equal(written.lines.length, 1);
        assert.doesNotThrow(() => JSON.parse(written.lines[0] ?? ''));
        createLogger({
          write: () => {
            throw new Error('EPIPE');
          },
        }).info(message, fields);
      }),
      { numRuns: 100 },
    );
  });
});
