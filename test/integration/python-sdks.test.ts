/** The providers' own Python SDKs take everything that passes through us: whole, streamed, asynchronous, and errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANSWER, MODEL, PROMPT, serveBothDialects, WORDS } from '../support/clients/both-dialects.ts';
import { pythonVersion, pythonWithSdks, runPythonClient } from '../support/clients/python.ts';
import { counted, takeRecords } from '../support/clients/records.ts';

const version = await pythonVersion();

test('the Python SDKs are served like by the providers', {
  skip: version === undefined && 'needs python3 (with venv) on PATH',
}, async () => {
  const interpreter = await pythonWithSdks(version ?? '');
  const served = await serveBothDialects();
  try {
    const seen = await runPythonClient(interpreter, {
      MODEL,
      PROMPT,
      ANTHROPIC_BASE_URL: served.url,
      ANTHROPIC_API_KEY: 'sk-test',
      OPENAI_BASE_URL: `${served.url}/v1`,
      OPENAI_API_KEY: 'sk-test',
    });
    const { 'anthropic 404': refused, 'anthropic 502': unanswered, 'openai 404': alsoRefused, ...rest } = seen;
    const { 'openai 502': alsoUnanswered, 'anthropic 429': limited, 'openai 429': alsoLimited, ...answers } = rest;
    assert.deepEqual(answers, {
      messages: ANSWER,
      'messages stream': ANSWER,
      'messages final': [ANSWER, 'end_turn', WORDS],
      count_tokens: true,
      'anthropic models': ['scripted', 'scripted-mini'],
      chat: ANSWER,
      'chat final': [ANSWER, 'stop'],
      responses: ANSWER,
      'responses final': [ANSWER, 'completed'],
      embeddings: 2,
      'openai models': ['scripted', 'scripted-mini'],
      'translated messages': [ANSWER, 'end_turn', WORDS],
      'translated tool use': ['weather', { city: 'Zürich' }, 'tool_use'],
      'translated chat': [ANSWER, 'stop'],
      'translated tool call': ['weather', { city: 'Zürich' }, 'tool_calls'],
      'async messages': ANSWER,
      'async chat': ANSWER,
    });
    const records = await takeRecords(served.proxy, 22);
    const idOf = (status: number, dialect: string): string | undefined =>
      records.find((record) => record.status === status && record.dialect === dialect)?.id;
    assert.deepEqual(refused, ['NotFoundError', 404, idOf(404, 'anthropic')]);
    assert.deepEqual(alsoRefused, ['NotFoundError', 404, idOf(404, 'openai')]);
    assert.deepEqual(unanswered, ['InternalServerError', 502, idOf(502, 'anthropic')]);
    assert.deepEqual(alsoUnanswered, ['InternalServerError', 502, idOf(502, 'openai')]);
    for (const error of [limited, alsoLimited]) {
      assert.match(JSON.stringify(error), /^\["RateLimitError",429,"req_scripted_/);
    }
    assert.deepEqual(counted(records.map(({ end }) => end)), { complete: 18, no_answer: 2, rejected: 2 });
  } finally {
    await served.stop();
  }
});
