/** Plays one answer as its scenario says: event by event, with pauses, gates, cuts and silences. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnswerLog, Journal } from './journal.ts';
import type { Scenario } from './scenario.ts';

export interface Script {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly events: readonly (string | Uint8Array)[];
  /** Takes the place of the event at which the scenario fails. */
  readonly errorEvent: string | Uint8Array;
}

export interface Stage {
  readonly response: ServerResponse;
  readonly scenario: Scenario;
  readonly log: AnswerLog;
  readonly journal: Journal;
}

/** Resolves when the answer has ended in whatever way; `log.end` says how. */
export async function play(script: Script, stage: Stage): Promise<void> {
  const { response, scenario, log } = stage;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    await wait(scenario.headMs, gone.signal);
    await before(0, stage, gone.signal);
    if (log.end !== 'open') return;
    log.status = script.status;
    response.writeHead(script.status, script.headers);
    response.flushHeaders();
    await playEvents(script, stage, gone.signal);
  } catch (error) {
    if (!gone.signal.aborted && !response.destroyed) throw error;
    if (log.end === 'open') log.end = 'client_gone';
  }
}

async function playEvents(script: Script, stage: Stage, gone: AbortSignal): Promise<void> {
  const { response, scenario, log } = stage;
  for (const [index, event] of script.events.entries()) {
    const number = index + 1;
    if (index > 0) await wait(scenario.delayMs, gone);
    await before(number, stage, gone);
    if (log.end !== 'open') return;
    const failing = scenario.errorAt === number;
    await send(failing ? script.errorEvent : event, stage, gone);
    log.events = number;
    if (!failing) continue;
    log.end = 'error';
    response.end();
    return;
  }
  log.end = 'complete';
  response.end();
}

/** Carries out what the scenario asks for before that event. */
async function before(number: number, { response, scenario, log, journal }: Stage, gone: AbortSignal): Promise<void> {
  if (scenario.holdAt === number) await unlessGone(journal.gate(scenario.gate || log.id), gone);
  if (scenario.hangAt === number) await unlessGone(new Promise<never>(() => undefined), gone);
  if (scenario.cutAt === number || scenario.resetAt === number) {
    log.end = 'cut';
    if (scenario.cutAt === number) response.socket?.destroy();
    else response.socket?.resetAndDestroy();
  } else if (scenario.closeAt === number) {
    log.end = 'closed';
    response.end();
  }
}

async function send(event: string | Uint8Array, { response, scenario, log }: Stage, gone: AbortSignal): Promise<void> {
  const bytes = typeof event === 'string' ? Buffer.from(event) : event;
  const step = scenario.chunkBytes || bytes.length;
  for (let at = 0; at < bytes.length; at += step) {
    const chunk = bytes.subarray(at, at + step);
    // Noted before the write: a reader may have the bytes before the callback runs.
    log.sent(chunk);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    response.write(chunk, (error) => (error ? reject(error) : resolve()));
    await promise;
    // Without a turn of the event loop, small writes would leave as one packet.
    if (scenario.chunkBytes > 0) await wait(1, gone);
  }
}

async function wait(ms: number, gone: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal: gone });
}

/** @throws the signal's reason when the client leaves first */
function unlessGone<T>(promise: Promise<T>, gone: AbortSignal): Promise<T> {
  const { promise: left, reject } = Promise.withResolvers<never>();
  gone.addEventListener('abort', () => reject(gone.reason), { once: true });
  if (gone.aborted) reject(gone.reason);
  return Promise.race([promise, left]);
}
