/** One exchange as it is logged: version 1 of the record, described in docs/records.md and docs/record.schema.json. */
import type { Dialect } from '#contract/dialect.ts';
import type { StreamEndKind } from '#contract/stream-end.ts';
import type { Attempt, Caller, RequestHead, ToolCall } from '../exchange.ts';
import type { Usage } from '../stream/scan/usage.ts';
import type { JsonObject } from '../translate/translator.ts';
import { type RecordedArrivals, recordArrivals } from './arrivals.ts';
import type { Assembled } from './assemble.ts';
import { type BodyDraft, finishBody, type RecordedBody } from './body.ts';
import type { ExchangeTimes, FactsSoFar } from './exchange-facts.ts';
import { type RecordedHeaders, recordHeaders, recordTarget } from './headers.ts';
import { scrubText } from './scrub.ts';
import type { Workload } from './workload.ts';

export const RECORD_VERSION = 1;

/** Which kind of process wrote a record: where a gateway stands behind sidecars, one request is recorded at each hop. */
export type Hop = 'sidecar' | 'gateway';

export interface RecordIdentity {
  readonly hop: Hop;
  readonly workload: Workload;
}

type Moment = 'received' | 'firstByte' | 'delivered' | 'firstContent' | 'lastByte' | 'ended';

/** What is known of an exchange at any moment. */
export interface LoggedRecord {
  readonly version: typeof RECORD_VERSION;
  /** Of this record: each hop has its own. */
  readonly id: string;
  /** Of the exchange, the same at every hop: the id of the first hop's record. */
  readonly exchange: string;
  readonly hop: Hop;
  /** Who called the gateway. */
  readonly caller?: Caller;
  /** A gateway of ours served it, and wrote a record of its own: to be left out where usage is added up. */
  readonly chained?: true;
  /** Present when a later start found the exchange in the journal: what is known is what had been written down by then. */
  readonly recovered?: true;
  /** Which state of the record this is, where a running stream is recorded, too: the highest replaces the others. */
  readonly sequence?: number;
  readonly revision?: string;
  readonly workload: Workload;
  /** Wall clock, ISO 8601 in UTC. */
  readonly times: { readonly [Name in Moment]?: string };
  /** Milliseconds since `times.received`, from a clock that never jumps. */
  readonly offsetsMs: { readonly [Name in Exclude<Moment, 'received'>]?: number };
  readonly dialect: Dialect;
  readonly route?: string;
  readonly upstream?: string;
  readonly agent?: string;
  /** Whether the request asked for a stream. */
  readonly stream?: boolean;
  readonly model: { readonly asked?: string; readonly sent?: string; readonly answered?: string };
  readonly attempts: readonly RecordedAttempt[];
  /** What a tool loop ran for the model; the first 256. */
  readonly toolCalls?: readonly RecordedToolCall[];
  /** Status sent to the client; 0 when none was. */
  readonly status: number;
  readonly usage?: Usage & { readonly partial: boolean };
  readonly contentEvents?: number;
  readonly request: RecordedMessage & { readonly method: string; readonly target: string };
  readonly response?: RecordedMessage & {
    readonly arrivals?: RecordedArrivals;
    /** A stream folded into the one answer that the call would have given without streaming; as far as it came. */
    readonly assembled?: JsonObject;
    /** Masks broke events of the stream: `assembled` lacks what these held, or cannot be given. */
    readonly assembledSpoiled?: true;
  };
  /** How many places were replaced as the config asks. */
  readonly redactions: { readonly headers: number; readonly jsonPaths: number; readonly patterns: number };
}

/** Of an exchange that is over. */
export interface ExchangeRecord extends LoggedRecord {
  readonly end: StreamEndKind;
  /** For `idle`: who stalled. */
  readonly side?: 'client' | 'upstream';
  /** For people: what was seen, such as `ECONNRESET`. */
  readonly detail?: string;
}

/** Of a stream that is still running: a record of the same id and a higher sequence follows. */
export interface PartialRecord extends LoggedRecord {
  readonly partial: true;
}

export interface RecordedAttempt {
  readonly upstream: string;
  readonly model?: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly outcome: Attempt['outcome'];
  readonly status?: number;
  readonly detail?: string;
}

export interface RecordedToolCall extends Omit<ToolCall, 'startedAt' | 'endedAt'> {
  readonly startMs: number;
  readonly durationMs: number;
}

export interface RecordedMessage {
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Lower-case names of the credentials that were taken out. */
  readonly headersRemoved: readonly string[];
  readonly body?: RecordedBody;
}

/** The parts of a record that took decoding and redaction. */
export interface RecordParts {
  readonly requestBody: { readonly draft: BodyDraft; readonly content: string };
  readonly responseBody: { readonly draft: BodyDraft; readonly content: string };
  readonly assembled: Assembled | undefined;
  readonly patternsReplaced: number;
  readonly model: string | undefined;
  readonly usage: Usage | undefined;
}

/** Puts a record together; pure. */
export function buildRecord(
  facts: FactsSoFar,
  parts: RecordParts,
  identity: RecordIdentity,
): ExchangeRecord | PartialRecord {
  const { end } = facts;
  if (end === undefined) return recordWith({ partial: true } as const, facts, parts, identity);
  const { kind, side, detail } = end;
  const ending = { end: kind, ...present('side', side), ...present('detail', detail && scrubText(detail)) };
  return recordWith(ending, facts, parts, identity);
}

function recordWith<Ending extends object>(
  ending: Ending,
  facts: FactsSoFar,
  parts: RecordParts,
  { hop, workload }: RecordIdentity,
): LoggedRecord & Ending {
  const { head, rules, request, answer, end } = facts;
  const sent = recordHeaders(head.rawHeaders, rules.secretHeaders, rules.redactHeaders);
  const got = recordHeaders(answer?.rawHeaders ?? [], rules.secretHeaders, rules.redactHeaders);
  const sentModel = facts.attempts.at(-1)?.model;
  const upstream = answer?.upstream ?? facts.attempts.at(-1)?.upstream;
  const arrived = facts.arrivals?.soFar();
  return {
    version: RECORD_VERSION,
    id: head.id,
    ...chainOf(facts, hop, upstream),
    ...present('sequence', facts.sequence),
    ...present('revision', rules.revision === '' ? undefined : rules.revision),
    workload,
    ...moments(head.receivedAt, head.receivedAtEpochMs, facts.times),
    dialect: head.dialect,
    ...present('route', facts.route),
    ...present('upstream', upstream),
    ...present('agent', request?.agent),
    ...present('stream', request?.stream),
    model: { ...present('asked', request?.model), ...present('sent', sentModel), ...present('answered', parts.model) },
    attempts: facts.attempts.map((attempt) => recordAttempt(attempt, head.receivedAt)),
    ...toolCalls(facts),
    status: facts.status,
    ...ending,
    ...present('usage', parts.usage && { ...parts.usage, partial: end?.kind !== 'complete' }),
    ...present('contentEvents', facts.contentEvents > 0 ? facts.contentEvents : undefined),
    request: {
      method: head.method,
      target: recordTarget(head.target),
      ...message(sent, finishBody(parts.requestBody.draft, parts.requestBody.content)),
    },
    ...present(
      'response',
      answer && {
        ...message(got, finishBody(parts.responseBody.draft, parts.responseBody.content)),
        ...present('arrivals', arrived && recordArrivals(arrived, head.receivedAt)),
        ...present('assembled', parts.assembled?.answer),
        ...(parts.assembled?.isSpoiled === true && { assembledSpoiled: true }),
      },
    ),
    redactions: redactions(parts, sent.redacted + got.redacted),
  };
}

function chainOf(
  { head, rules }: FactsSoFar,
  hop: Hop,
  upstream: string | undefined,
): Pick<LoggedRecord, 'exchange' | 'hop' | 'caller' | 'chained'> {
  return {
    exchange: head.exchange ?? head.id,
    hop,
    ...present('caller', head.caller),
    ...(upstream !== undefined && rules.gateways.has(upstream) && { chained: true }),
  };
}

function message({ headers, removed }: RecordedHeaders, body: RecordedBody): RecordedMessage {
  return { headers, headersRemoved: removed, body };
}

function recordAttempt({ startedAt, endedAt, detail, ...rest }: Attempt, receivedAt: number): RecordedAttempt {
  return {
    ...rest,
    startMs: milliseconds(startedAt - receivedAt),
    durationMs: milliseconds(endedAt - startedAt),
    ...present('detail', detail === undefined ? undefined : scrubText(detail)),
  };
}

function redactions(
  { requestBody, responseBody, patternsReplaced }: RecordParts,
  headers: number,
): LoggedRecord['redactions'] {
  return { headers, jsonPaths: requestBody.draft.redacted + responseBody.draft.redacted, patterns: patternsReplaced };
}

function toolCalls({ toolCalls: calls, head }: FactsSoFar): Pick<LoggedRecord, 'toolCalls'> {
  return calls.length === 0 ? {} : { toolCalls: calls.map((call) => recordCall(call, head)) };
}

function recordCall({ startedAt, endedAt, ...rest }: ToolCall, { receivedAt }: RequestHead): RecordedToolCall {
  return { ...rest, startMs: milliseconds(startedAt - receivedAt), durationMs: milliseconds(endedAt - startedAt) };
}

function moments(
  receivedAt: number,
  epochMs: number,
  times: Readonly<Partial<ExchangeTimes>>,
): Pick<LoggedRecord, 'times' | 'offsetsMs'> {
  const iso: { [Name in Moment]?: string } = { received: new Date(epochMs).toISOString() };
  const offsetsMs: { [Name in Exclude<Moment, 'received'>]?: number } = {};
  const add = (name: Exclude<Moment, 'received'>, at: number | undefined): void => {
    if (at === undefined) return;
    offsetsMs[name] = milliseconds(at - receivedAt);
    iso[name] = new Date(epochMs + (at - receivedAt)).toISOString();
  };
  add('firstByte', times.firstByteAt);
  add('delivered', times.deliveredAt);
  add('firstContent', times.firstContentAt);
  add('lastByte', times.lastByteAt);
  add('ended', times.endedAt);
  return { times: iso, offsetsMs };
}

/** To the microsecond: more digits are noise. */
function milliseconds(value: number): number {
  return Math.max(0, Math.round(value * 1000) / 1000);
}

/** A member that is left out when there is no value. */
export function present<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]: Value });
}
