/** Everything that a tap gathered of one exchange: what its record is made of. */
import type { AnswerHead, Attempt, RequestFacts, RequestHead, ToolCall } from '../exchange.ts';
import type { StreamEnd } from '../stream/end.ts';
import type { Usage } from '../stream/scan/usage.ts';
import type { Arrivals } from './arrivals.ts';
import type { BodyCapture, CapturedBody } from './capture.ts';
import type { LogRules } from './rules.ts';

/** Milliseconds on the clock of `performance.now()`; absent: it never came to that. */
export interface ExchangeTimes {
  /** The first byte of the answer's body arrived from the upstream. */
  firstByteAt?: number;
  /** The first byte of the answer's body was handed to the client. */
  deliveredAt?: number;
  /** The first content event arrived. */
  firstContentAt?: number;
  /** The last byte of the answer's body arrived from the upstream. */
  lastByteAt?: number;
  endedAt: number;
}

/** What is known at some moment. */
export interface FactsSoFar {
  readonly head: RequestHead;
  /** The rules in force when the exchange began. */
  readonly rules: LogRules;
  readonly route: string | undefined;
  readonly request: RequestFacts | undefined;
  readonly attempts: readonly Attempt[];
  readonly toolCalls: readonly ToolCall[];
  readonly answer: AnswerHead | undefined;
  readonly requestBody: CapturedBody;
  readonly responseBody: CapturedBody;
  /** Of the response body's chunks. */
  readonly arrivals?: Pick<Arrivals, 'soFar'>;
  readonly times: Readonly<Partial<ExchangeTimes>>;
  readonly contentEvents: number;
  /** As read along the stream; a plain answer's come from its body. */
  readonly model: string | undefined;
  readonly usage: Usage | undefined;
  /** Absent: the exchange is not over. */
  readonly end?: StreamEnd;
  /** Sent to the client; 0 when none was. */
  readonly status: number;
  /** Of this state of the record; absent: progress is not recorded. */
  readonly sequence?: number;
}

/** What is known in the end. */
export interface ExchangeFacts extends FactsSoFar {
  readonly requestBody: BodyCapture;
  readonly responseBody: BodyCapture;
  readonly arrivals?: Arrivals;
  readonly times: Readonly<ExchangeTimes>;
  readonly end: StreamEnd;
}
