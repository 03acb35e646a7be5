/** Every metric of the proxy: name, help, labels, buckets; once. docs/metrics.md is held to this file by a test. */
import { performance } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import pkg from '../../package.json' with { type: 'json' };
import type { AttemptOutcome } from '../exchange.ts';
import type { Usage } from '../stream/scan/usage.ts';
import { DURATION_BUCKETS, GAP_BUCKETS, HISTOGRAM_LABELS, OVERHEAD_BUCKETS, WAIT_BUCKETS } from './buckets.ts';
import { CountingHistogram } from './counting-histogram.ts';
import { BoundedLabel } from './labels.ts';
import { limitMetrics } from './limit-metrics.ts';
import { logMetrics } from './log-metrics.ts';
import type { Metrics } from './meters.ts';
import { toolMetrics } from './tool-metrics.ts';

export type { AnswerMeters, DropReason, ExchangeLabels, Metrics, RecordResult } from './meters.ts';

/** Models that get a label of their own: as many as a fleet uses at once, and few enough for every series to be affordable. */
const MODEL_LIMIT = 100;
/** Routes, upstreams and targets come from the config, but over a process' life their names change. */
const NAME_LIMIT = 200;

export function createMetrics(): Metrics {
  const registry = new Registry();
  processMetrics(registry);
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    ...configMetrics(registry),
    ...upstreamMetrics(registry),
    ...exchangeMetrics(registry),
    ...limitMetrics(registry, new BoundedLabel(NAME_LIMIT)),
    ...logMetrics(registry, NAME_LIMIT),
    ...toolMetrics(registry),
  };
}

function configMetrics(registry: Registry): Pick<Metrics, 'configLoaded'> {
  const registers = [registry];
  const revisionInfo = new Gauge({
    name: 'sluice_config_revision_info',
    help: 'Always 1; the label is the revision of the config in force.',
    labelNames: ['revision'],
    registers,
  });
  const reloads = new Counter({
    name: 'sluice_config_reloads_total',
    help: 'Configs that were read, by result: ok (in force since) or refused (the one before stays in force).',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['ok', 'refused']) reloads.inc({ result }, 0);
  return {
    configLoaded(revision, ok) {
      reloads.inc({ result: ok ? 'ok' : 'refused' });
      if (!ok) return;
      revisionInfo.reset();
      revisionInfo.set({ revision }, 1);
    },
  };
}

function upstreamMetrics(
  registry: Registry,
): Pick<Metrics, 'upstreamAvailable' | 'keepUpstreams' | 'attempted' | 'translationLost'> {
  const registers = [registry];
  const known = new BoundedLabel(NAME_LIMIT);
  const seen = new Set<string>();
  const available = new Gauge({
    name: 'sluice_upstream_available',
    help: '1 if the upstream is tried in its turn, 0 while recent failures keep it back.',
    labelNames: ['upstream'],
    registers,
  });
  const attempts = new Counter({
    name: 'sluice_attempts_total',
    help: 'Tries at an upstream, by outcome; an exchange has several when it retries or falls back.',
    labelNames: ['upstream', 'outcome'],
    registers,
  });
  const losses = new Counter({
    name: 'sluice_translation_losses_total',
    help: 'Parts of requests and answers that the other dialect has no place for, by name.',
    labelNames: ['upstream', 'what'],
    registers,
  });
  return {
    translationLost: (upstream, what) => losses.inc({ upstream: known.value(upstream), what }),
    upstreamAvailable(upstream, isAvailable) {
      seen.add(upstream);
      available.set({ upstream }, isAvailable ? 1 : 0);
    },
    keepUpstreams(names) {
      for (const upstream of seen) {
        if (names.includes(upstream)) continue;
        available.remove({ upstream });
        seen.delete(upstream);
      }
    },
    attempted(upstream: string, outcome: AttemptOutcome) {
      attempts.inc({ upstream: known.value(upstream), outcome });
    },
  };
}

type ExchangePart = Pick<Metrics, 'answer' | 'activeStreams' | 'exchangeEnded' | 'tokens' | 'watchFailed'>;

function exchangeMetrics(registry: Registry): ExchangePart {
  const registers = [registry];
  const names = new BoundedLabel(2 * NAME_LIMIT);
  const models = new BoundedLabel(MODEL_LIMIT);
  const total = new Counter({
    name: 'sluice_exchanges_total',
    help: 'Exchanges that ended, by the status sent to the client (0: none was) and by how they ended.',
    labelNames: ['route', 'upstream', 'dialect', 'code', 'end'],
    registers,
  });
  const active = new Gauge({
    name: 'sluice_active_streams',
    help: 'Event streams that are being passed on at this moment.',
    registers,
  });
  const tokenTotal = new Counter({
    name: 'sluice_tokens_total',
    help: 'Tokens as the upstreams reported them, by disjoint kinds: input, cache_read, cache_write and output add up to all.',
    labelNames: ['model', 'kind'],
    registers,
  });
  const chainedTokens = new Counter({
    name: 'sluice_chained_tokens_total',
    help: 'Tokens of exchanges that a gateway served: it counts the same ones in its sluice_tokens_total.',
    labelNames: ['model', 'kind'],
    registers,
  });
  const failures = new Counter({
    name: 'sluice_watch_failures_total',
    help: 'Failures of what watches exchanges (journal, record, tap); the exchanges themselves went on.',
    labelNames: ['part'],
    registers,
  });
  for (const part of ['journal', 'record', 'tap']) failures.inc({ part }, 0);
  return {
    answer: answerMeters(registry, names),
    activeStreams: (change) => active.inc(change),
    exchangeEnded({ route, upstream, dialect, code, end }) {
      total.inc({ route: names.value(route), upstream: names.value(upstream), dialect, code: String(code), end });
    },
    tokens(model: string | undefined, usage: Usage, isChained = false) {
      const label = models.value(model);
      const total = isChained ? chainedTokens : tokenTotal;
      for (const [kind, count] of tokenKinds(usage)) if (count) total.inc({ model: label, kind }, count);
    },
    watchFailed: (part) => failures.inc({ part }),
  };
}

function tokenKinds(usage: Usage): [kind: string, count: number | undefined][] {
  return [
    ['input', usage.inputTokens],
    ['cache_read', usage.cacheReadTokens],
    ['cache_write', usage.cacheWriteTokens],
    ['output', usage.outputTokens],
  ];
}

/** What is observed for each event has a histogram of its own kind; the others are observed once an answer. */
function answerMeters(registry: Registry, names: BoundedLabel): Metrics['answer'] {
  const histogram = <Label extends string>(name: string, help: string, buckets: number[], more: Label[] = []) =>
    new Histogram({ name, help, buckets, labelNames: [...HISTOGRAM_LABELS, ...more], registers: [registry] });
  const firstByte = histogram(
    'sluice_time_to_first_byte_seconds',
    "Seconds from the request's head to the first byte of the answer's body handed to the client.",
    WAIT_BUCKETS,
  );
  const firstToken = histogram(
    'sluice_time_to_first_token_seconds',
    "Seconds from the request's head to the first content event of the stream (text, thinking or tool input).",
    WAIT_BUCKETS,
  );
  const gap = new CountingHistogram({
    name: 'sluice_inter_token_seconds',
    help: 'Seconds between a content event of a stream and the one before it, as they arrived; events that arrive together are 0 apart.',
    buckets: GAP_BUCKETS,
    labelNames: HISTOGRAM_LABELS,
    registry,
  });
  const overhead = histogram(
    'sluice_proxy_overhead_seconds',
    "Seconds added before the first byte: from the request's head to the last attempt's start, less the attempts before it, plus the time the first byte was held.",
    OVERHEAD_BUCKETS,
  );
  const duration = histogram(
    'sluice_stream_duration_seconds',
    "Seconds from the request's head to the stream's end, by how it ended.",
    DURATION_BUCKETS,
    ['end'],
  );
  return (rawRoute, rawUpstream) => {
    const route = names.value(rawRoute);
    const upstream = names.value(rawUpstream);
    const gaps = gap.labels({ route, upstream });
    return {
      firstByte: (ms) => firstByte.observe({ route, upstream }, ms / 1000),
      firstToken: (ms) => firstToken.observe({ route, upstream }, ms / 1000),
      tokenGap: (ms) => gaps.observe(ms / 1000),
      overhead: (ms) => overhead.observe({ route, upstream }, ms / 1000),
      duration: (ms, end) => duration.observe({ route, upstream, end }, ms / 1000),
    };
  };
}

/**
 * The process' own, under the names that every Prometheus client uses. The client's default set is not used: its event loop
 * monitor wakes an idle sidecar a hundred times a second.
 */
function processMetrics(registry: Registry): void {
  const registers = [registry];
  let cpuBefore = 0;
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Seconds of processor time used by this process.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.inc((user + system) / 1e6 - cpuBefore);
      cpuBefore = (user + system) / 1e6;
    },
  });
  for (const [name, help, read] of PROCESS_GAUGES) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
  let loopBefore = performance.eventLoopUtilization();
  new Gauge({
    name: 'nodejs_eventloop_utilization_ratio',
    help: 'Share of the time since the last scrape that the event loop was busy, 0 to 1.',
    registers,
    collect() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, loopBefore);
      loopBefore = now;
      this.set(Number.isFinite(utilization) ? utilization : 0);
    },
  });
  new Gauge({
    name: 'sluice_build_info',
    help: 'Always 1; the labels are the version of Sluice and of Node.js.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: pkg.version, node: process.version }, 1);
}

const PROCESS_GAUGES: readonly (readonly [name: string, help: string, read: () => number])[] = [
  [
    'process_start_time_seconds',
    'Start of this process in seconds since the epoch.',
    () => performance.timeOrigin / 1000,
  ],
  ['process_resident_memory_bytes', 'Bytes of memory that this process has in use.', () => process.memoryUsage.rss()],
  ['nodejs_heap_size_used_bytes', 'Bytes of the JavaScript heap in use.', () => process.memoryUsage().heapUsed],
  [
    'nodejs_external_memory_bytes',
    'Bytes that JavaScript objects hold outside the heap, buffers above all.',
    () => process.memoryUsage().external,
  ],
];
