/**
 * What an OpenTelemetry backend can search a record by. Names of the semantic conventions for generative AI and HTTP where they
 * exist, `sluice.*` for what only we know (docs/log-targets.md lists them).
 */
import { recordKey } from '../record-key.ts';

/** A value as OTLP's JSON writes it; 64-bit numbers are strings (protobuf's JSON mapping). */
export type AnyValue =
  | { readonly stringValue: string }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly boolValue: boolean };

export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

/** What is read of a record; members that are not what they should be are left out. */
export interface OtlpView {
  readonly id?: unknown;
  readonly sequence?: unknown;
  readonly partial?: unknown;
  readonly exchange?: unknown;
  readonly hop?: unknown;
  readonly chained?: unknown;
  readonly revision?: unknown;
  readonly workload?: Readonly<Record<string, unknown>>;
  readonly times?: Readonly<Record<string, unknown>>;
  readonly offsetsMs?: Readonly<Record<string, unknown>>;
  readonly dialect?: unknown;
  readonly route?: unknown;
  readonly upstream?: unknown;
  readonly agent?: unknown;
  readonly stream?: unknown;
  readonly model?: Readonly<Record<string, unknown>>;
  readonly status?: unknown;
  readonly end?: unknown;
  readonly usage?: Readonly<Record<string, unknown>>;
  readonly request?: Readonly<Record<string, unknown>>;
}

/** Ends after which nobody has to look. */
const HEALTHY_ENDS: ReadonlySet<unknown> = new Set(['complete', 'client_gone', 'shutdown']);

export function isHealthy(record: OtlpView): boolean {
  return (
    (record.partial === true || HEALTHY_ENDS.has(record.end)) &&
    !(typeof record.status === 'number' && record.status >= 500)
  );
}

export function recordAttributes(record: OtlpView): KeyValue[] {
  const { model, usage = {}, request, offsetsMs } = record;
  const path = typeof request?.['target'] === 'string' ? request['target'].split('?', 1)[0] : undefined;
  return attributes([
    ['gen_ai.operation.name', operationOf(path)],
    ['gen_ai.provider.name', record.dialect === 'raw' ? undefined : record.dialect],
    ['gen_ai.request.model', model?.['sent'] ?? model?.['asked']],
    ['gen_ai.request.stream', record.stream],
    ['gen_ai.response.model', model?.['answered']],
    ['gen_ai.response.time_to_first_chunk', seconds(offsetsMs?.['firstContent'])],
    ['gen_ai.agent.name', record.agent],
    ['gen_ai.usage.input_tokens', inputTokens(usage)],
    ['gen_ai.usage.output_tokens', usage['outputTokens']],
    ['gen_ai.usage.cache_read.input_tokens', usage['cacheReadTokens']],
    ['gen_ai.usage.cache_creation.input_tokens', usage['cacheWriteTokens']],
    ['gen_ai.usage.reasoning.output_tokens', usage['reasoningTokens']],
    ['http.request.method', request?.['method']],
    ['http.response.status_code', record.status === 0 ? undefined : record.status],
    ['url.path', path],
    ['error.type', isHealthy(record) ? undefined : record.end],
    // What removes duplicates by it must not take the whole record for a part of it.
    ['log.record.uid', uidOf(record)],
    ['sluice.record.id', record.sequence === undefined ? undefined : record.id],
    ['sluice.sequence', record.sequence],
    ['sluice.partial', record.partial],
    ['sluice.exchange.id', record.exchange],
    ['sluice.hop', record.hop],
    ['sluice.chained', record.chained],
    ['sluice.revision', record.revision],
    ['sluice.route', record.route],
    ['sluice.upstream', record.upstream],
    ['sluice.model.asked', model?.['asked']],
    ['sluice.end', record.end],
    ['sluice.duration', seconds(offsetsMs?.['ended'])],
  ]);
}

function uidOf({ id, sequence }: OtlpView): unknown {
  return typeof id === 'string' && typeof sequence === 'number' ? recordKey({ id, sequence }) : id;
}

/** Whose records these are. */
export function resourceAttributes({ workload = {} }: OtlpView): KeyValue[] {
  return attributes([
    ['service.name', 'sluice'],
    ['k8s.namespace.name', workload['namespace']],
    ['k8s.pod.name', workload['pod']],
    ['k8s.node.name', workload['node']],
    ['sluice.workload.owner', workload['owner']],
  ]);
}

/** The convention's count holds the cached tokens, a record's does not. */
function inputTokens(usage: Readonly<Record<string, unknown>>): number | undefined {
  const parts = [usage['inputTokens'], usage['cacheReadTokens'], usage['cacheWriteTokens']];
  const counts = parts.filter((part) => typeof part === 'number');
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0);
}

function operationOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (path.endsWith('/embeddings')) return 'embeddings';
  return /\/(messages|chat\/completions|responses)$/.test(path) ? 'chat' : undefined;
}

function seconds(ms: unknown): number | undefined {
  return typeof ms === 'number' ? ms / 1000 : undefined;
}

const DOUBLES = new Set(['gen_ai.response.time_to_first_chunk', 'sluice.duration']);

function attributes(entries: readonly (readonly [key: string, value: unknown])[]): KeyValue[] {
  return entries.flatMap(([key, value]): KeyValue[] => {
    if (typeof value === 'string') return [{ key, value: { stringValue: value.toWellFormed() } }];
    if (typeof value === 'boolean') return [{ key, value: { boolValue: value } }];
    if (typeof value !== 'number' || !Number.isFinite(value)) return [];
    return [{ key, value: DOUBLES.has(key) ? { doubleValue: value } : { intValue: String(Math.trunc(value)) } }];
  });
}
