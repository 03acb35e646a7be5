/** The Python SDKs' accumulators take the streams of a tool loop, progress included. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { stripProgress } from '../../contract/progress.ts';
import { pythonVersion, pythonWithSdks } from '../support/clients/python.ts';
import { LoopServer } from '../support/tool-loop/loop-server.ts';
import { ScriptedModel } from '../support/tool-loop/scripted-model.ts';
import { ToolServer } from '../support/tool-loop/tool-server.ts';

const CLIENT = join(import.meta.dirname, '../support/tool-loop/client.py');
const version = await pythonVersion();

interface Seen {
  readonly messages: readonly [texts: readonly string[], stopReason: string, outputTokens: number];
  readonly chat: readonly [text: string, finishReason: string, completionTokens: number];
}

test('Anthropic and OpenAI for Python put one message together', {
  skip: version === undefined && 'needs python3 (with venv) on PATH',
}, async (context) => {
  const interpreter = await pythonWithSdks(version ?? '');
  const model = await ScriptedModel.start();
  const tools = await ToolServer.start();
  const loop = await LoopServer.start(model.url);
  context.after(() => Promise.all([loop.close(), tools.close(), model.close()]));
  loop.use({ http: [{ name: 'search', description: 'd', url: tools.url }], progress: 'text' });
  const turns = [{ text: 'Looking', calls: [{ name: 'search' }, { name: 'search' }] }, { text: 'Found' }];
  model.play(...turns, ...turns);
  const env = {
    ANTHROPIC_BASE_URL: loop.url,
    ANTHROPIC_API_KEY: 'k',
    OPENAI_BASE_URL: `${loop.url}/v1`,
    OPENAI_API_KEY: 'k',
  };
  const { stdout } = await promisify(execFile)(interpreter, [CLIENT], { env, timeout: 60_000 });
  const { messages, chat } = JSON.parse(stdout) as Seen;
  const [texts, ...end] = messages;
  assert.deepEqual([texts.length, stripProgress(texts.join('|')), ...end], [7, '|Looking|||||Found', 'end_turn', 10]);
  const [text, ...chatEnd] = chat;
  assert.deepEqual([stripProgress(text), ...chatEnd], ['Looking\n\nFound', 'stop', 10]);
});
