/** Builds the live objects of the proxy and wires them: the only composition root. */
import { setTimeout as delay } from 'node:timers/promises';
import type { CompiledConfig } from '#contract/compiled.ts';
import { DEFAULT_LISTEN_TIMEOUTS } from '#contract/compiled-listen.ts';
import type { Problem } from '#contract/finding.ts';
import { DEFAULT_LISTEN_PORT, DEFAULT_METRICS_PORT } from '#contract/names.ts';
import { ownEndpoints, type Provider } from './admin/own-endpoints.ts';
import { type AdminServer, serveAdmin } from './admin/server.ts';
import { ProxyStatus } from './admin/status.ts';
import { Snapshots } from './config/snapshot.ts';
import type { ConfigEvent, ConfigSource, LoadedConfig } from './config/source.ts';
import { Door } from './gateway/door.ts';
import { listenForOwn, withoutOwnEndpoints } from './gateway/own-listener.ts';
import { Strangers } from './gateway/strangers.ts';
import { drain } from './listen/drain.ts';
import { Reception } from './listen/reception.ts';
import { type Listener, type ListenOptions, listen } from './listen/server.ts';
import { type ExchangeLog, openLog } from './log/log.ts';
import type { Logger } from './log/logger.ts';
import { StateHold } from './log/state-hold.ts';
import { tellRemainder } from './log/termination-message.ts';
import { createMetrics, type Metrics } from './observe/metrics.ts';
import { giveBackAtRest } from './observe/resting-memory.ts';
import { serve } from './pipeline.ts';
import { replayPool } from './replay/replay-pool.ts';
import type { Settings } from './settings.ts';
import { Toolboxes } from './tools/toolboxes.ts';
import { Health } from './upstream/health.ts';
import { openPool } from './upstream/pool.ts';

export interface ProxyOptions {
  readonly source: ConfigSource;
  readonly settings: Settings;
  readonly logger: Logger;
  /** Of the state directory; absent: taken here, and waited for while another process has it. */
  readonly hold?: StateHold;
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

/** Everything that lives as long as the process. */
function openParts({ settings, logger, hold = new StateHold(settings.stateDirectory) }: Omit<ProxyOptions, 'source'>) {
  const metrics = createMetrics();
  const { stateDirectory, workload } = settings;
  const hop = settings.gateway ? 'gateway' : 'sidecar';
  const log = openLog({ stateDirectory, hold, metrics, logger, workload, hop });
  const snapshots = new Snapshots((upstream, tls) =>
    upstream.replay ? replayPool(upstream.name, upstream.replay, stateDirectory) : openPool(upstream, tls),
  );
  const health = openHealth(metrics, logger);
  const status = new ProxyStatus(() => log.targetStates());
  const door = new Door(settings.gateway);
  const reception = new Reception({ logger, metrics });
  const toolboxes = new Toolboxes({ logger, meters: metrics });
  return { metrics, log, snapshots, health, status, door, reception, toolboxes, logger };
}

function openHealth(metrics: Metrics, logger: Logger): Health {
  const ejected = new Set<string>();
  const health = new Health({
    now: () => performance.now(),
    onChange: (upstream, available) => {
      metrics.upstreamAvailable(upstream, available);
      if (available && ejected.delete(upstream)) logger.info('Upstream is back', { upstream });
      if (available) return;
      ejected.add(upstream);
      const state = health.states().find((each) => each.upstream === upstream);
      logger.warn('Upstream ejected: it is tried again by single requests', { ...state });
    },
  });
  return health;
}

/** Starts both listeners; resolves when they accept, whether or not a config is there yet. */
export async function startProxy({ source, ...options }: ProxyOptions): Promise<RunningProxy> {
  const { settings, logger } = options;
  const parts = openParts(options);
  const { door, health, log, metrics, reception, snapshots, status } = parts;
  const stop = new AbortController();
  stop.signal.addEventListener('abort', giveBackAtRest({ inFlight: () => reception.inFlight }));
  const ready = Promise.withResolvers<void>();
  const intake = new Intake({ ...parts, ready: ready.resolve });
  const events = source.events(stop.signal)[Symbol.asyncIterator]();
  const ports = await choosePorts(settings, events, intake);
  const admin = await serveAdmin({ host: settings.metricsHost, port: ports.metrics, status, metrics });
  const strangers = new Strangers({ openTap: log.openTap, metrics });
  const serveOwn = ownEndpoints({
    status,
    providers: () => providers(snapshots.config, health),
    archive: () => log.archive(),
  });
  const { listener, closeOwn } = await openDoor(settings, door, {
    port: ports.listen,
    serve: (incoming) => serve(incoming, { ...parts, openTap: incoming.refusal ? strangers.openTap : log.openTap }),
    headLimitMs: () => (snapshots.config?.listen.timeouts ?? DEFAULT_LISTEN_TIMEOUTS).headMs,
    serveOwn,
  }).catch((error: unknown) => {
    admin.close();
    throw error;
  });
  logger.info('Listening', { listenPort: listener.port, metricsPort: admin.port });
  void follow(events, intake, logger);
  const stopping: DrainParts = { ...parts, listener, admin, stop, settings, closeOwn };
  return {
    listenPort: listener.port,
    metricsPort: admin.port,
    ready: ready.promise,
    secrets: () => snapshots.secrets(),
    drain: (signal) => drainAll(stopping, signal),
  };
}

/** The listener, as a gateway's or as a sidecar's; a gateway's own endpoints are not on it. */
async function openDoor(
  { gateway, listenHost: host }: Settings,
  door: Door,
  options: ListenOptions,
): Promise<{ listener: Listener; closeOwn: (() => void) | undefined }> {
  const identify = (rawHeaders: readonly string[]) => door.identify(rawHeaders);
  if (!gateway) return { listener: await listen({ ...options, host }), closeOwn: undefined };
  const listener = await listen({ ...options, host, tls: gateway.tls, identify, serveOwn: withoutOwnEndpoints });
  door.onCertificate((certificate) => listener.useCertificate(certificate));
  return { listener, closeOwn: await listenForOwn(host, listener.port, (...each) => options.serveOwn(...each)) };
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
  readonly toolboxes: Toolboxes;
  readonly door: Door;
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
      const { door, snapshots } = this.#parts;
      const unfit = door.problems(event.loaded);
      const problems = unfit.length > 0 ? unfit : snapshots.swap(event.loaded);
      if (problems.length > 0) this.#refuse(problems);
      else {
        door.open(event.loaded);
        this.#accept(event.loaded, event.told ?? false);
      }
    }
  }

  #accept({ config, credentials }: LoadedConfig, told: boolean): void {
    const { health, log, logger, metrics, status, toolboxes } = this.#parts;
    const upstreams = config.upstreams.flatMap((u) => (u.kind === 'valid' ? [[u.name, u.origin] as const] : []));
    log.configure(config, credentials);
    status.accepted(config);
    metrics.configLoaded(config.revision, true);
    metrics.keepUpstreams(upstreams.map(([name]) => name));
    health.retain(new Map(upstreams));
    const loops = config.routes.map((route) => (route.kind === 'valid' ? route.toolLoop : undefined));
    void toolboxes.retain(loops, credentials);
    const clients = config.gateway?.clients ?? [];
    for (const part of [...config.upstreams, ...config.routes, ...config.logging.targets, ...clients]) {
      if (part.kind === 'invalid' && !told)
        logger.warn('Part of the config is invalid', { part: part.name, problem: part.message });
    }
    logger.info('Config in force', { revision: config.revision, generation: config.generation });
    this.#parts.ready();
  }

  #refuse(problems: readonly Problem[]): void {
    const { door, logger, metrics, status } = this.#parts;
    status.refused(problems);
    metrics.configLoaded(status.revision, false);
    if (status.revision === '')
      logger.warn(`Config refused; ${door.withoutConfig} until one can be used`, { problems });
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
  readonly toolboxes: Toolboxes;
  readonly listener: Listener;
  readonly admin: AdminServer;
  readonly log: ExchangeLog;
  readonly snapshots: Snapshots;
  readonly status: ProxyStatus;
  readonly stop: AbortController;
  readonly settings: Settings;
  readonly logger: Logger;
  readonly closeOwn: (() => void) | undefined;
}

/** Longest wait for the log's targets after the last exchange; closing takes up to 2 s more, and the pod's grace must leave room. */
const LOG_FLUSH_MS = 3_000;

async function drainAll(parts: DrainParts, signal: AbortSignal): Promise<void> {
  const { log, logger, settings } = parts;
  const { lingerMs, terminationMessageFile: path } = settings;
  const told = tellRemainder({ path, states: () => log.targetStates(), logger });
  parts.status.drain();
  // A gateway is still sent requests while the cluster learns that it leaves.
  parts.listener.leave();
  if (lingerMs > 0) await delay(lingerMs, undefined, { signal }).catch(() => undefined);
  await drain(parts.listener, signal);
  parts.stop.abort();
  await log.close(AbortSignal.timeout(LOG_FLUSH_MS));
  told();
  parts.snapshots.close();
  await parts.toolboxes.close();
  // Last of all, so that the counts of the flush can still be scraped.
  parts.closeOwn?.();
  parts.admin.close();
}
