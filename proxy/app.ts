/** Builds the live objects of the proxy and wires them: the only composition root. */
import type { CompiledConfig } from '#contract/compiled.ts';
import type { Problem } from '#contract/finding.ts';
import { DEFAULT_LISTEN_PORT, DEFAULT_METRICS_PORT } from '#contract/names.ts';
import { ownEndpoints, type Provider } from './admin/own-endpoints.ts';
import { type AdminServer, serveAdmin } from './admin/server.ts';
import { ProxyStatus } from './admin/status.ts';
import { Snapshots } from './config/snapshot.ts';
import type { ConfigEvent, ConfigSource } from './config/source.ts';
import { drain } from './listen/drain.ts';
import { type Listener, listen } from './listen/server.ts';
import { type ExchangeLog, openLog } from './log/log.ts';
import type { Logger } from './log/logger.ts';
import { createMetrics, type Metrics } from './observe/metrics.ts';
import { serve } from './pipeline.ts';
import type { Settings } from './settings.ts';
import { Health } from './upstream/health.ts';

export interface ProxyOptions {
  readonly source: ConfigSource;
  readonly settings: Settings;
  readonly logger: Logger;
}

export interface RunningProxy {
  readonly listenPort: number;
  readonly metricsPort: number;
  /** Resolves when the first valid config is executed. */
  readonly ready: Promise<void>;
  /** Bare credentials in force, for a logger that must never write them. */
  secrets(): Iterable<string>;
  /**
   * Stops: readiness fails, exchanges in flight finish, the log is flushed. Resolves when everything is closed.
   * @param signal its abort ends the remaining exchanges at once (`shutdown`)
   */
  drain(signal: AbortSignal): Promise<void>;
}

/** Starts both listeners; resolves when they accept, whether or not a config is there yet. */
export async function startProxy({ source, settings, logger }: ProxyOptions): Promise<RunningProxy> {
  const metrics = createMetrics();
  const log = openLog({ stateDirectory: settings.stateDirectory, metrics, logger, workload: settings.workload });
  const status = new ProxyStatus();
  const snapshots = new Snapshots();
  const health = new Health({
    now: () => performance.now(),
    onChange: (upstream, available) => {
      metrics.upstreamAvailable(upstream, available);
      if (!available) logger.warn('Upstream ejected', { upstream });
    },
  });
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const intake = new Intake({ snapshots, health, metrics, log, logger, status, ready: ready.resolve });
  const events = source.events(stop.signal)[Symbol.asyncIterator]();
  const ports = await choosePorts(settings, events, intake);
  const admin = await serveAdmin({ host: settings.metricsHost, port: ports.metrics, status, metrics });
  const listener = await listen({
    port: ports.listen,
    serve: (incoming) => serve(incoming, { snapshots, health, openTap: log.openTap, logger }),
    serveOwn: ownEndpoints({ status, providers: () => providers(snapshots.config, health) }),
  }).catch((error: unknown) => {
    admin.close();
    throw error;
  });
  logger.info('Listening', { listenPort: listener.port, metricsPort: admin.port });
  void follow(events, intake, logger);
  return {
    listenPort: listener.port,
    metricsPort: admin.port,
    ready: ready.promise,
    secrets: () => snapshots.secrets(),
    drain: (signal) => drainAll({ listener, admin, log, snapshots, status, stop }, signal),
  };
}

type Events = AsyncIterator<ConfigEvent>;

/** Ports are fixed for a process: by its environment, else by the config that is there at the start, else by default. */
async function choosePorts(
  settings: Settings,
  events: Events,
  intake: Intake,
): Promise<{ listen: number; metrics: number }> {
  const { listenPort, metricsPort } = settings;
  if (listenPort !== undefined && metricsPort !== undefined) return { listen: listenPort, metrics: metricsPort };
  const first = await events.next();
  if (!first.done) intake.take(first.value);
  const config = intake.config;
  return {
    listen: listenPort ?? config?.listen.port ?? DEFAULT_LISTEN_PORT,
    metrics: metricsPort ?? config?.metrics.port ?? DEFAULT_METRICS_PORT,
  };
}

async function follow(events: Events, intake: Intake, logger: Logger): Promise<void> {
  try {
    for (let next = await events.next(); !next.done; next = await events.next()) intake.take(next.value);
  } catch (error) {
    logger.error('Config source failed; the config in force stays', { error: String(error) });
  }
}

interface IntakeParts {
  readonly snapshots: Snapshots;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly log: ExchangeLog;
  readonly logger: Logger;
  readonly status: ProxyStatus;
  ready(): void;
}

/** Takes config events, one after the other; everybody who has to know of a change is told here. */
class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  get config(): CompiledConfig | undefined {
    return this.#parts.snapshots.config;
  }

  take(event: ConfigEvent): void {
    if (event.kind === 'rejected') this.#refuse(event.problems);
    else {
      const problems = this.#parts.snapshots.swap(event.loaded);
      if (problems.length > 0) this.#refuse(problems);
      else this.#accept(event.loaded.config);
    }
  }

  #accept(config: CompiledConfig): void {
    const { health, log, logger, metrics, status } = this.#parts;
    const upstreams = config.upstreams.flatMap((u) => (u.kind === 'valid' ? [[u.name, u.origin] as const] : []));
    log.configure(config);
    status.accepted(config);
    metrics.configLoaded(config.revision, true);
    metrics.keepUpstreams(upstreams.map(([name]) => name));
    health.retain(new Map(upstreams));
    for (const part of [...config.upstreams, ...config.routes, ...config.logging.targets]) {
      if (part.kind === 'invalid')
        logger.warn('Part of the config is invalid', { part: part.name, problem: part.message });
    }
    logger.info('Config in force', { revision: config.revision, generation: config.generation });
    this.#parts.ready();
  }

  #refuse(problems: readonly Problem[]): void {
    const { logger, metrics, status } = this.#parts;
    status.refused(problems);
    metrics.configLoaded(status.revision, false);
    if (status.revision === '') logger.warn('Config refused; requests get 503 until one can be used', { problems });
    else logger.warn('Config refused; the one before stays in force', { revision: status.revision, problems });
  }
}

function providers(config: CompiledConfig | undefined, health: Health): Provider[] {
  const states = new Map(health.states().map((state) => [state.upstream, state]));
  return (config?.upstreams ?? []).flatMap((upstream): Provider[] => {
    if (upstream.kind === 'invalid') return [{ upstream: upstream.name, state: 'invalid', message: upstream.message }];
    const state = states.get(upstream.name);
    return state ? [{ ...state, dialect: upstream.dialect, origin: upstream.origin }] : [];
  });
}

interface DrainParts {
  readonly listener: Listener;
  readonly admin: AdminServer;
  readonly log: ExchangeLog;
  readonly snapshots: Snapshots;
  readonly status: ProxyStatus;
  readonly stop: AbortController;
}

/** Longest wait for the log's targets after the last exchange; the pod's grace must leave room for it. */
const LOG_FLUSH_MS = 4_000;

async function drainAll(parts: DrainParts, signal: AbortSignal): Promise<void> {
  parts.status.drain();
  await drain(parts.listener, signal);
  parts.stop.abort();
  await parts.log.close(AbortSignal.timeout(LOG_FLUSH_MS));
  parts.snapshots.close();
  // Last of all, so that the counts of the flush can still be scraped.
  parts.admin.close();
}
