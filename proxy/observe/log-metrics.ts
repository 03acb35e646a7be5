/** The conversation log's own metrics. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { BoundedLabel } from './labels.ts';
import { type Metrics, RECORD_RESULTS, SPOOL_EVENTS } from './meters.ts';

type SpoolPart = Pick<Metrics, 'waiting' | 'spoolEvent' | 'spoolInMemory' | 'forgetTarget'>;
type LogPart = SpoolPart & Pick<Metrics, 'targetConfigured' | 'logged' | 'unwritten'>;

/** @param targetLimit targets that get a label of their own */
export function logMetrics(registry: Registry, targetLimit: number): LogPart {
  const registers = [registry];
  const known = new BoundedLabel(targetLimit);
  const records = new Counter({
    name: 'sluice_log_records_total',
    help: 'Records by target and result: delivered, or dropped_ and the reason.',
    labelNames: ['target', 'result'],
    registers,
  });
  const unwritten = new Gauge({
    name: 'sluice_log_unwritten_records',
    help: 'Exchanges that ended and whose record is not made yet; no target has seen them.',
    registers,
  });
  return {
    targetConfigured(target) {
      for (const result of RECORD_RESULTS) records.inc({ target: known.value(target), result }, 0);
    },
    logged(target, result, count) {
      if (count > 0) records.inc({ target: known.value(target), result }, count);
    },
    unwritten: (exchanges) => unwritten.set(exchanges),
    ...spoolMetrics(registry, known),
  };
}

function spoolMetrics(registry: Registry, known: BoundedLabel): SpoolPart {
  const registers = [registry];
  const waitingRecords = new Gauge({
    name: 'sluice_log_spool_records',
    help: 'Records that wait for their target. Records made = delivered + dropped + waiting, for each target.',
    labelNames: ['target'],
    registers,
  });
  const waitingBytes = new Gauge({
    name: 'sluice_log_spool_bytes',
    help: 'Bytes of the records that wait for their target.',
    labelNames: ['target'],
    registers,
  });
  const spoolEvents = new Counter({
    name: 'sluice_log_spool_events_total',
    help: 'What befell the spool: stripped (records that lost their bodies for want of room), held_in_memory, set_aside, restarted.',
    labelNames: ['event'],
    registers,
  });
  const inMemory = new Gauge({
    name: 'sluice_log_spool_in_memory',
    help: "1 while the spool's file cannot be written, or records wait in memory alone: they are lost with the process.",
    registers,
  });
  for (const event of SPOOL_EVENTS) spoolEvents.inc({ event }, 0);
  return {
    waiting(target, count, bytes) {
      waitingRecords.set({ target: known.value(target) }, count);
      waitingBytes.set({ target: known.value(target) }, bytes);
    },
    spoolEvent: (event, times) => spoolEvents.inc({ event }, times),
    spoolInMemory: (held) => inMemory.set(held ? 1 : 0),
    forgetTarget(target) {
      waitingRecords.remove({ target: known.value(target) });
      waitingBytes.remove({ target: known.value(target) });
    },
  };
}
