import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getModelCapabilities } from '@ai-sdk/anthropic/internal';
import { modelFacts } from './model.ts';

const MODELS = [
  'claude-3-haiku-20240307',
  'claude-3-5-sonnet-20241022',
  'claude-3-7-sonnet-20250219',
  'claude-sonnet-4-20250514',
  'claude-opus-4-20250514',
  'claude-opus-4-1-20250805',
  'claude-sonnet-4-5-20250929',
  'claude-haiku-4-5',
  'claude-opus-4-5-20251101',
  'claude-sonnet-4-6',
  'claude-opus-4-6',
  'claude-opus-4-7',
  'claude-opus-4-8',
  'claude-sonnet-5',
  'claude-opus-5',
  'claude-fable-5',
  'claude-fable-5-1',
  'claude-fable-5-2',
  'claude-haiku-5-5',
  'claude-sonnet-5-5',
  'claude-opus-5-5',
];

for (const model of MODELS)
  test(`modelFacts() knows of ${model} what the ai SDK knows`, () => {
    const known = getModelCapabilities(model);
    const facts = modelFacts(model);
    assert.equal(facts.thinking === 'adaptive', known.supportsAdaptiveThinking, 'adaptive thinking');
    assert.ok(facts.thinking === 'adaptive' || !known.rejectsBudgetThinking, 'thinking by budget');
    assert.equal(facts.thinkingCanEnd, !known.rejectsThinkingDisabled, 'thinking switched off');
    assert.equal(facts.sampling, !known.rejectsSamplingParameters, 'sampling');
    assert.equal(facts.efforts.includes('xhigh'), known.supportsXhighEffort, 'effort');
    assert.equal(facts.forcedCalls, !known.rejectsForcedToolUse, 'forced calls');
    assert.equal(facts.schemas, known.supportsStructuredOutput, 'schemas');
  });

test('modelFacts() reads names as other clouds write them, and takes no date for a version', () => {
  assert.deepEqual(modelFacts('anthropic.claude-opus-4-7-v1:0'), modelFacts('claude-opus-4-7'));
  assert.deepEqual(modelFacts('us.anthropic.claude-sonnet-4-20250514-v1:0'), modelFacts('claude-sonnet-4'));
  assert.deepEqual(modelFacts('claude-sonnet-4-5@20250929'), modelFacts('claude-sonnet-4-5'));
  assert.deepEqual(modelFacts('claude-opus-4.7'), modelFacts('claude-opus-4-7'));
});

test('modelFacts() lets everything through for names that tell no version', () => {
  for (const name of ['kimi-k2', 'deepseek-reasoner', 'claude-latest', undefined]) {
    const facts = modelFacts(name);
    assert.equal(facts.thinking, 'budget');
    assert.ok(facts.sampling && facts.bothSamplings && facts.forcedCalls && facts.schemas && facts.thinkingCanEnd);
  }
});
