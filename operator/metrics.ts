/** Every metric of the operator: name, help, labels, buckets; once. The only file that imports prom-client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export const WATCHED_KINDS = ['StreamProxy', 'Pod', 'Secret'] as const;
export type WatchedKind = (typeof WATCHED_KINDS)[number];
export const POD_STATES = ['current', 'stale', 'unreachable', 'asking'] as const;

/** Read when somebody scrapes. */
export interface Readings {
  /** Seconds since the server was last heard on the watch that waits longest; bookmarks come each minute or so. */
  staleness(kind: WatchedKind): number;
  pods(state: (typeof POD_STATES)[number]): number;
  resources(): number;
  isLeading(): boolean;
}

/** Labels of the records that ended pods left behind. Not `namespace`: a scrape puts the operator's own there. */
export interface UndeliveredLabels {
  readonly streamproxy_namespace: string;
  readonly streamproxy: string;
  readonly target: string;
}

export interface Metrics {
  readonly contentType: string;
  expose(): Promise<string>;
  readonly reconciled: (outcome: string, seconds: number) => void;
  readonly queueDepth: (depth: number) => void;
  readonly watchFailed: (kind: WatchedKind) => void;
  /** @param records 0 makes the series */
  readonly undelivered: (labels: UndeliveredLabels, records: number) => void;
  readonly forgetUndelivered: (labels: UndeliveredLabels) => void;
  /** Connects what is read at a scrape; until then those metrics are absent. */
  read(readings: Readings): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const reconciles = new Counter({
    name: 'sluice_operator_reconciles_total',
    help: 'Looks at a StreamProxy, by how they ended: delivered, refused, waiting, gone or error.',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'sluice_operator_reconcile_duration_seconds',
    help: 'Duration of one look at a StreamProxy, sidecars not awaited.',
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const depth = new Gauge({
    name: 'sluice_operator_queue_depth',
    help: 'StreamProxies that wait to be looked at.',
    registers,
  });
  const failures = new Counter({
    name: 'sluice_operator_watch_failures_total',
    help: 'Lists and watches that failed and were tried again.',
    labelNames: ['kind'],
    registers,
  });
  const undelivered = new Counter({
    name: 'sluice_operator_undelivered_records_total',
    help: 'Records that pods had not delivered when they ended for good, lost with them.',
    labelNames: ['streamproxy_namespace', 'streamproxy', 'target'],
    registers,
  });
  return {
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    reconciled(outcome, took) {
      reconciles.inc({ outcome });
      seconds.observe(took);
    },
    queueDepth: (value) => depth.set(value),
    watchFailed: (kind) => failures.inc({ kind }),
    undelivered: (labels, records) => undelivered.inc({ ...labels }, records),
    forgetUndelivered: (labels) => undelivered.remove({ ...labels }),
    read: (readings) => registerReadings(registers, readings),
  };
}

function registerReadings(registers: Registry[], readings: Readings): void {
  new Gauge({
    name: 'sluice_operator_watch_staleness_seconds',
    help: 'Time since the API server was last heard on a watch of this kind, the longest of all. A quiet cluster still sends a bookmark each minute.',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const kind of WATCHED_KINDS) this.set({ kind }, readings.staleness(kind));
    },
  });
  new Gauge({
    name: 'sluice_operator_pods',
    help: 'Running sidecars of all StreamProxies, by whether they run the delivered revision.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of POD_STATES) this.set({ state }, readings.pods(state));
    },
  });
  new Gauge({
    name: 'sluice_operator_resources',
    help: 'StreamProxies that are looked after.',
    registers,
    collect() {
      this.set(readings.resources());
    },
  });
  new Gauge({
    name: 'sluice_operator_leader',
    help: '1 while this operator holds the lease and writes.',
    registers,
    collect() {
      this.set(readings.isLeading() ? 1 : 0);
    },
  });
}
