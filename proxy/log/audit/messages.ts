/** What the log and the archive's thread say to each other. */
import type { CompiledAudit } from '#contract/compiled.ts';
import type { Turn } from './conversation.ts';

/** The `end` to ask for where a record has none: of a stream that was still running. */
export const RUNNING = 'running';

/** Which records are looked for; what is absent matches all. */
export interface AuditFilter {
  /** Words, "phrases" and begin* of words; all must be there. */
  readonly text?: string;
  /** Received at or after, and before; milliseconds since the epoch. */
  readonly fromEpochMs?: number;
  readonly toEpochMs?: number;
  readonly route?: string;
  /** The model asked for, sent or answered; * stands for any characters. */
  readonly model?: string;
  /** One of STREAM_ENDS, or RUNNING. */
  readonly end?: string;
  readonly agent?: string;
  /** Of the record or the exchange. */
  readonly id?: string;
}

export interface AuditQuery {
  readonly filter: AuditFilter;
  readonly limit: number;
  /** Where the page before ended. */
  readonly before?: number;
  /** Whole records in place of hits. */
  readonly whole: boolean;
}

/** A part of a snippet; `match`: it is one of the words that were asked for. */
export interface SnippetPart {
  readonly text: string;
  readonly match?: true;
}

/** A record that was found. */
export interface AuditHit {
  readonly id: string;
  readonly exchange: string;
  readonly received: string;
  readonly durationMs?: number;
  readonly firstByteMs?: number;
  readonly route?: string;
  readonly upstream?: string;
  readonly agent?: string;
  readonly model?: string;
  readonly dialect: string;
  readonly status: number;
  /** Absent: the stream was still running. */
  readonly end?: string;
  readonly snippet: readonly SnippetPart[];
}

export interface AuditPage {
  readonly hits: readonly AuditHit[];
  /** Records as JSON texts, when whole ones were asked for. */
  readonly records: readonly string[];
  /** Where the next page begins; absent: there is none. A page may be short, or empty, and yet have a next one. */
  readonly next?: number;
}

/** A record as it is read by people. */
export interface AuditReading {
  /** The record as JSON. */
  readonly json: string;
  readonly turns: readonly Turn[];
}

export interface AuditState {
  readonly records: number;
  readonly usedBytes: number;
  readonly oldest?: string;
}

export type AuditRequest =
  | { readonly kind: 'configure'; readonly audit: CompiledAudit }
  /** Records one after the other in one buffer. Answered by `added`; only then the next may come. */
  | { readonly kind: 'add'; readonly lengths: readonly number[]; readonly bytes: Uint8Array }
  | { readonly kind: 'search'; readonly ticket: number; readonly query: AuditQuery }
  | { readonly kind: 'get'; readonly ticket: number; readonly id: string }
  | { readonly kind: 'read'; readonly ticket: number; readonly id: string }
  | { readonly kind: 'state'; readonly ticket: number }
  /** Answered by `closed`. */
  | { readonly kind: 'close' };

export type AuditReply =
  /** Whether the batch is kept now, or was there already. */
  | { readonly kind: 'added'; readonly kept: boolean }
  | { readonly kind: 'page'; readonly ticket: number; readonly page: AuditPage }
  | { readonly kind: 'record'; readonly ticket: number; readonly json: string | null }
  | { readonly kind: 'reading'; readonly ticket: number; readonly reading: AuditReading | null }
  | { readonly kind: 'state'; readonly ticket: number; readonly state: AuditState }
  /** The question could not be answered. */
  | { readonly kind: 'failed'; readonly ticket: number }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'closed' };
