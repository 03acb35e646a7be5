import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { DROP_REASONS } from './meters.ts';
import { createMetrics } from './metrics.ts';

interface Family {
  help: string;
  type: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

/** Reads Prometheus' text format strictly: what it does not allow makes the test fail. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let current: [string, Family] | undefined;
  assert.ok(text.endsWith('\n'));
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, kind, name = '', rest = ''] = comment;
      if (kind === 'HELP') {
        assert.ok(!families.has(name), `${name} twice`);
        current = [name, { help: rest, type: '', samples: [] }];
        families.set(...current);
      } else {
        assert.equal(current?.[0], name, 'TYPE follows its HELP');
        assert.match(rest, /^(counter|gauge|histogram)$/);
        if (current) current[1].type = rest;
      }
      continue;
    }
    const [, name = '', labelText = '', value = ''] = SAMPLE.exec(line) ?? assert.fail(`no sample: ${line}`);
    const [family, facts] = current ?? assert.fail('sample without family');
    const suffix = name.slice(family.length);
    assert.ok(
      name.startsWith(family) && (facts.type === 'histogram' ? /^_(bucket|sum|count)$/ : /^$/).test(suffix),
      line,
    );
    assert.ok(!Number.isNaN(Number(value.replace('+Inf', 'Infinity'))), line);
    facts.samples.push({ name, labels: labels(labelText), value: Number(value) });
  }
  return families;
}

function labels(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let end = 0;
  for (let match = LABEL.exec(text); match; match = LABEL.exec(text)) {
    found[match[1] ?? ''] = match[2] ?? '';
    end = LABEL.lastIndex;
  }
  assert.equal(end, text.length, `labels: ${text}`);
  return found;
}

/** A registry in which everything happened once. */
function used() {
  const metrics = createMetrics();
  metrics.configLoaded('rev-1', true);
  metrics.upstreamAvailable('claude', true);
  metrics.attempted('claude', 'answered');
  metrics.activeStreams(1);
  const answer = metrics.answer('opus', 'claude');
  answer.firstByte(100);
  answer.firstToken(250);
  answer.tokenGap(20);
  answer.tokenGap(40);
  answer.overhead(1.5);
  answer.duration(12_000, 'complete');
  metrics.exchangeEnded({ route: 'opus', upstream: 'claude', dialect: 'anthropic', code: 200, end: 'complete' });
  metrics.translationLost('claude', 'top_k');
  metrics.tokens('claude-1', {
    inputTokens: 10,
    outputTokens: 5,
    cacheReadTokens: 7,
    cacheWrite1hTokens: 3,
    reasoningTokens: 2,
  });
  metrics.logged('stdout', 'delivered', 2);
  metrics.waiting('stdout', 1, 512);
  metrics.watchFailed('journal');
  metrics.tokens('claude-1', { outputTokens: 5 }, true);
  metrics.limited('claude');
  metrics.unrecorded();
  metrics.spoolEvent('restarted', 1);
  metrics.spoolInMemory(true);
  metrics.toolCalled('search', 'ok', 100);
  metrics.toolShadowed('search');
  metrics.toolLoopEnded('answered', 2);
  metrics.toolListFailed('lab', 'unreachable');
  return metrics;
}

const read = async (metrics: ReturnType<typeof createMetrics>) => parse(await metrics.render());

describe('metrics', () => {
  it('renders valid text in base units', async () => {
    const families = await read(used());
    const value = (name: string, want: Record<string, string> = {}): number | undefined =>
      families
        .get(name.replace(/_(bucket|sum|count)$/, (suffix) => (families.has(name) ? suffix : '')))
        ?.samples.find((s) => s.name === name && Object.entries(want).every(([k, v]) => s.labels[k] === v))?.value;
    assert.equal(
      value('sluice_exchanges_total', {
        route: 'opus',
        upstream: 'claude',
        dialect: 'anthropic',
        code: '200',
        end: 'complete',
      }),
      1,
    );
    assert.equal(value('sluice_time_to_first_byte_seconds_sum', { route: 'opus', upstream: 'claude' }), 0.1);
    assert.equal(value('sluice_time_to_first_byte_seconds_bucket', { le: '0.1' }), 1);
    assert.equal(value('sluice_time_to_first_byte_seconds_bucket', { le: '0.05' }), 0);
    assert.equal(value('sluice_time_to_first_token_seconds_sum'), 0.25);
    assert.equal(value('sluice_inter_token_seconds_count'), 2);
    assert.equal(value('sluice_proxy_overhead_seconds_sum'), 0.0015);
    assert.equal(value('sluice_stream_duration_seconds_sum', { end: 'complete' }), 12);
    assert.equal(value('sluice_active_streams'), 1);
    assert.equal(value('sluice_log_records_total', { target: 'stdout', result: 'delivered' }), 2);
    assert.equal(value('sluice_log_spool_bytes', { target: 'stdout' }), 512);
    assert.equal(value('sluice_log_spool_in_memory'), 1);
    assert.equal(value('sluice_upstream_available', { upstream: 'claude' }), 1);
    assert.deepEqual(
      families.get('sluice_tokens_total')?.samples.map((s) => [s.labels['kind'], s.value]),
      [
        ['input', 10],
        ['cache_read', 7],
        ['output', 5],
      ],
    );
    assert.ok((value('process_resident_memory_bytes') ?? 0) > 1e6);
  });

  it('divides every histogram of answers by route and upstream', async () => {
    for (const [name, { type, samples }] of await read(used())) {
      if (type !== 'histogram' || name.startsWith('sluice_tool_')) continue;
      const names = Object.keys(samples[0]?.labels ?? {})
        .filter((label) => label !== 'le')
        .sort();
      const expected = name === 'sluice_stream_duration_seconds' ? ['end', 'route', 'upstream'] : ['route', 'upstream'];
      assert.deepEqual(names, expected, name);
    }
  });

  it('shows only the revision in force', async () => {
    const metrics = used();
    metrics.configLoaded('rev-2', true);
    metrics.configLoaded('rev-broken', false);
    const families = await read(metrics);
    assert.deepEqual(
      families.get('sluice_config_revision_info')?.samples.map((s) => s.labels['revision']),
      ['rev-2'],
    );
    const reloads = families.get('sluice_config_reloads_total')?.samples.map((s) => [s.labels['result'], s.value]);
    assert.deepEqual(reloads, [
      ['ok', 2],
      ['refused', 1],
    ]);
  });

  it('forgets upstreams and targets that are gone', async () => {
    const metrics = used();
    metrics.upstreamAvailable('old', false);
    metrics.keepUpstreams(['claude']);
    metrics.forgetTarget('stdout');
    const families = await read(metrics);
    assert.deepEqual(
      families.get('sluice_upstream_available')?.samples.map((s) => s.labels['upstream']),
      ['claude'],
    );
    assert.deepEqual(families.get('sluice_log_spool_bytes')?.samples, []);
  });

  it('counts every result of a configured target from 0', async () => {
    const metrics = createMetrics();
    metrics.targetConfigured('store');
    metrics.logged('store', 'dropped_expired', 2);
    metrics.targetConfigured('store');
    const samples = (await read(metrics)).get('sluice_log_records_total')?.samples ?? [];
    assert.deepEqual(
      samples.filter(({ labels: { target } }) => target === 'store').map(({ labels: { result } }) => result),
      ['delivered', ...DROP_REASONS.map((reason) => `dropped_${reason}`)],
    );
    const counted = samples.filter(({ value }) => value > 0).map(({ labels: { result }, value }) => [result, value]);
    assert.deepEqual(counted, [['dropped_expired', 2]]);
  });

  it('bounds models, and names what is absent', async () => {
    const metrics = createMetrics();
    for (let i = 0; i < 150; i++) metrics.tokens(`model-${i}`, { outputTokens: 1 });
    metrics.tokens(undefined, { outputTokens: 1 });
    metrics.exchangeEnded({ route: undefined, upstream: undefined, dialect: 'raw', code: 404, end: 'rejected' });
    const families = await read(metrics);
    const samples = families.get('sluice_tokens_total')?.samples ?? [];
    assert.equal(samples.length, 102);
    assert.equal(samples.find((s) => s.labels['model'] === 'other')?.value, 50);
    const [exchange] = families.get('sluice_exchanges_total')?.samples ?? [];
    assert.deepEqual(exchange?.labels, {
      route: 'none',
      upstream: 'none',
      dialect: 'raw',
      code: '404',
      end: 'rejected',
    });
  });

  it('escapes label values that a caller chose', async () => {
    const metrics = createMetrics();
    metrics.tokens('a"b\\c\nd', { outputTokens: 1 });
    const [sample] = (await read(metrics)).get('sluice_tokens_total')?.samples ?? [];
    assert.equal(sample?.labels['model'], 'a\\"b\\\\c\\nd');
  });

  it('is what docs/metrics.md says: the same names, types and labels both ways', async () => {
    const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    const families = await read(used());
    const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\w+) \|([^|]*)\|/gm)];
    assert.deepEqual(rows.map(([, name = '']) => name).sort(), [...families.keys()].sort());
    for (const [, name = '', type, labelCell = ''] of rows) {
      const family = families.get(name);
      assert.equal(family?.type, type, name);
      const shared = type === 'histogram' && !name.startsWith('sluice_tool_') ? ['route', 'upstream'] : [];
      const documented = [...labelCell.matchAll(/`(\w+)`/g)].map(([, label = '']) => label);
      const actual = Object.keys(family?.samples[0]?.labels ?? {}).filter((label) => label !== 'le');
      assert.deepEqual([...shared, ...documented].sort(), actual.sort(), name);
    }
    const queried = [...page.matchAll(/```promql\n([\s\S]*?)```/g)].map(([, query = '']) => query).join('\n');
    for (const name of families.keys()) {
      if (name.startsWith('sluice_') && name !== 'sluice_build_info')
        assert.ok(queried.includes(name), `no example for ${name}`);
    }
  });
});
