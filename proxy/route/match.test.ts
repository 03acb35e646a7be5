import assert from 'node:assert/strict';
import test from 'node:test';
import type { CompiledMatch, CompiledRoute } from '#contract/compiled.ts';
import { type BodyFact, globMatches, type MatchFacts, match, mismatch } from './match.ts';

const read = (value: string): BodyFact => ({ kind: 'read', value });
const ANY: CompiledMatch = { paths: [], models: [], agents: [], headers: [] };

function route(name: string, rule: Partial<CompiledMatch>): CompiledRoute {
  return { kind: 'invalid', name, message: '', match: { ...ANY, ...rule } };
}

function facts(over: Partial<MatchFacts> & { headers?: Record<string, string[]> } = {}): MatchFacts {
  const { headers = {}, ...rest } = over;
  return {
    path: '/v1/messages',
    model: { kind: 'read', value: 'claude-opus-5' },
    agent: { kind: 'read', value: undefined },
    headerValues: (name) => headers[name] ?? [],
    ...rest,
  };
}

const named = (given: MatchFacts, ...routes: CompiledRoute[]): string => {
  const found = match(given, routes);
  return found.kind === 'none' ? 'none' : `${found.kind} ${found.route.name}`;
};

test('match() takes the first route that matches, an invalid one included', () => {
  const opus = route('opus', { models: ['claude-opus-*'] });
  assert.equal(named(facts(), opus, route('rest', {})), 'matched opus');
  assert.equal(named(facts({ model: { kind: 'read', value: 'gpt' } }), opus, route('rest', {})), 'matched rest');
  assert.equal(named(facts({ model: { kind: 'read', value: undefined } }), opus), 'none');
});

test('match() compares paths exactly or as prefixes', () => {
  const exact = route('exact', { paths: [{ kind: 'exact', path: '/v1/messages' }] });
  const prefix = route('prefix', { paths: [{ kind: 'prefix', path: '/v1/me' }] });
  assert.equal(named(facts({ path: '/v1/messages/count_tokens' }), exact, prefix), 'matched prefix');
  assert.equal(named(facts({ path: '/v1/chat/completions' }), exact, prefix), 'none');
});

test('match() needs every rule of a route: agent, header and model', () => {
  const strict = route('strict', { agents: ['architect'], headers: [{ name: 'x-team', values: ['core'] }] });
  assert.equal(
    named(facts({ agent: read('architect'), headers: { 'x-team': ['web', 'core'] } }), strict),
    'matched strict',
  );
  assert.equal(named(facts({ agent: read('architect'), headers: { 'x-team': ['web'] } }), strict), 'none');
  assert.equal(named(facts({ headers: { 'x-team': ['core'] } }), strict), 'none');
});

test('match() says when a rule needs a model that was not read, and only then', () => {
  const unread = facts({ model: { kind: 'unread' } });
  const opus = route('opus', { models: ['claude-*'], paths: [{ kind: 'exact', path: '/v1/messages' }] });
  assert.equal(named(unread, opus, route('rest', {})), 'needs opus');
  assert.equal(named(unread, route('rest', {}), opus), 'matched rest');
  assert.equal(named({ ...unread, path: '/x' }, opus), 'none');
});

test('match() takes a header without values as one that must only be there', () => {
  const present = route('present', { headers: [{ name: 'x-team', values: [] }] });
  assert.equal(named(facts({ headers: { 'x-team': [''] } }), present), 'matched present');
  assert.equal(named(facts(), present), 'none');
});

test('match() asks for tiers beside models: both must match', () => {
  const large = route('large', { tierModels: ['claude-opus-*', 'gpt-5'] });
  const largeClaude = route('large-claude', { models: ['claude-*'], tierModels: ['claude-opus-*', 'gpt-5'] });
  const asks = (value: string): MatchFacts => facts({ model: read(value) });
  assert.equal(named(asks('gpt-5'), largeClaude, large), 'matched large');
  assert.equal(named(asks('claude-opus-5'), largeClaude, large), 'matched large-claude');
  assert.equal(named(asks('claude-haiku-5'), largeClaude, large), 'none');
  assert.equal(named(facts({ model: { kind: 'unread' } }), large), 'needs large');
});

test('match() says when a rule needs an agent that was not read, and only if the rest matches', () => {
  const unread = facts({ agent: { kind: 'unread' } });
  const architect = route('architect', { agents: ['architect'], models: ['claude-*'] });
  assert.deepEqual(match(unread, [architect]), { kind: 'needs', what: 'agent', route: architect });
  assert.equal(named({ ...unread, model: read('gpt-5') }, architect), 'none');
  assert.equal(named(unread, route('rest', {}), architect), 'matched rest');
});

test('mismatch() names the part that fails', () => {
  const rule = { ...ANY, paths: [{ kind: 'exact', path: '/v1/messages' }] } as const;
  assert.equal(mismatch(facts({ path: '/x' }), rule), 'path');
  assert.equal(mismatch(facts(), { ...rule, headers: [{ name: 'x-team', values: ['core'] }] }), 'header x-team');
  assert.equal(mismatch(facts(), { ...rule, agents: ['architect'] }), 'agent');
  assert.equal(mismatch(facts(), { ...rule, models: ['gpt-*'] }), 'model');
  assert.equal(mismatch(facts(), { ...rule, tierModels: ['gpt-*'] }), 'tier');
  assert.equal(mismatch(facts(), rule), undefined);
});

test('globMatches() lets * stand for any characters', () => {
  const yes: [string, string][] = [
    ['*', ''],
    ['a*', 'a'],
    ['a*c', 'abc'],
    ['*-4*-x', 'gpt-4-4-x'],
    ['a*b*c', 'aXbYc'],
    ['x.y', 'x.y'],
  ];
  const no: [string, string][] = [
    ['a*a', 'a'],
    ['ab*bc', 'abc'],
    ['a*b*c', 'acb'],
    ['x.y', 'xzy'],
    ['a', 'ab'],
  ];
  for (const [glob, text] of yes) assert.ok(globMatches(glob, text), `${glob} ${text}`);
  for (const [glob, text] of no) assert.ok(!globMatches(glob, text), `${glob} ${text}`);
});
