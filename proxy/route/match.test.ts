import assert from 'node:assert/strict';
import test from 'node:test';
import type { CompiledMatch, CompiledRoute } from '#contract/compiled.ts';
import { globMatches, type MatchFacts, match } from './match.ts';

const ANY: CompiledMatch = { paths: [], models: [], agents: [], headers: [] };

function route(name: string, rule: Partial<CompiledMatch>): CompiledRoute {
  return { kind: 'invalid', name, message: '', match: { ...ANY, ...rule } };
}

function facts(over: Partial<MatchFacts> & { headers?: Record<string, string[]> } = {}): MatchFacts {
  const { headers = {}, ...rest } = over;
  return {
    path: '/v1/messages',
    model: { kind: 'read', value: 'claude-opus-5' },
    agent: undefined,
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
  assert.equal(named(facts({ agent: 'architect', headers: { 'x-team': ['web', 'core'] } }), strict), 'matched strict');
  assert.equal(named(facts({ agent: 'architect', headers: { 'x-team': ['web'] } }), strict), 'none');
  assert.equal(named(facts({ headers: { 'x-team': ['core'] } }), strict), 'none');
});

test('match() says when a rule needs a model that was not read, and only then', () => {
  const unread = facts({ model: { kind: 'unread' } });
  const opus = route('opus', { models: ['claude-*'], paths: [{ kind: 'exact', path: '/v1/messages' }] });
  assert.equal(named(unread, opus, route('rest', {})), 'needs_model opus');
  assert.equal(named(unread, route('rest', {}), opus), 'matched rest');
  assert.equal(named({ ...unread, path: '/x' }, opus), 'none');
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
