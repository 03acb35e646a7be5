/**
 * The kept records as the log and the own endpoints see them. Records wait here, within bounds, while one batch is with the
 * thread; what is lost is counted and harms nobody else.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CompiledAudit } from '#contract/compiled.ts';
import type { DropReason, Metrics } from '../../observe/meters.ts';
import type { Logger } from '../logger.ts';
import { LineQueue, type QueuedLine, type Settled } from '../targets/line-queue.ts';
import type { Target } from '../targets/target.ts';
import { type ArchiveThread, startArchiveThread } from './archive-thread.ts';
import type { AuditPage, AuditQuery, AuditReading, AuditReply, AuditState } from './messages.ts';
import { AUDIT_FOLDER } from './place.ts';

export interface ArchiveServices {
  readonly metrics: Pick<Metrics, 'logged'>;
  readonly logger: Logger;
}

/** Label of its metrics: no target can be called so. */
export const ARCHIVE_LABEL = '(audit)';

const MIB = 1024 ** 2;
/** What may wait for the thread. */
const QUEUE = { bytes: 16 * MIB, records: 10_000 };
const BATCH_BYTES = MIB;
/** Longest wait for an answer; the thread may be busy with a batch, or with others' questions. */
const ANSWER_MS = 10_000;
/** Questions at the same time: they are people's, not programs'. */
const MOST_QUESTIONS = 32;
const CLOSE_MS = 1_000;

/** The archive does not answer at the moment. */
export class ArchiveUnavailableError extends Error {
  override readonly name = 'ArchiveUnavailableError';
}

/** What may be asked of it. */
export type KeptRecords = Pick<Archive, 'search' | 'get' | 'read' | 'state'>;

type Question = (reply: AuditReply | undefined) => void;

export class Archive implements Target {
  readonly #stateDirectory: string;
  readonly #services: ArchiveServices;
  readonly #thread: ArchiveThread;
  readonly #queue = new LineQueue(QUEUE);
  readonly #questions = new Map<number, Question>();
  readonly #closed = Promise.withResolvers<void>();
  #audit: CompiledAudit;
  #sending: readonly QueuedLine[] = [];
  #ticket = 0;
  #stopped: DropReason | undefined;
  #idle = Promise.withResolvers<void>();

  /** Starts the thread. @param after must have happened before */
  constructor(stateDirectory: string, audit: CompiledAudit, services: ArchiveServices, after: Promise<void>) {
    this.#stateDirectory = stateDirectory;
    this.#audit = audit;
    this.#services = services;
    this.#thread = startArchiveThread(stateDirectory, after, {
      reply: (reply) => this.#hear(reply),
      started: () => {
        this.#thread.post({ kind: 'configure', audit: this.#audit });
        this.#send();
      },
      ended: (error) => this.#threadEnded(error),
    });
  }

  configure(audit: CompiledAudit): void {
    this.#audit = audit;
    this.#thread.post({ kind: 'configure', audit });
  }

  deliver(bytes: Buffer, settled: Settled, id: string): void {
    if (this.#stopped !== undefined) this.#drop([{ bytes, settled, id }], this.#stopped);
    else {
      this.#drop(this.#queue.push({ bytes, settled, id }), 'overflow');
      this.#send();
    }
  }

  lose(reason: DropReason): void {
    this.#services.metrics.logged(ARCHIVE_LABEL, `dropped_${reason}`, 1);
  }

  /** It is no target of the resource. */
  states(): readonly [] {
    return [];
  }

  /** @throws ArchiveUnavailableError */
  async search(query: AuditQuery): Promise<AuditPage> {
    const reply = await this.#ask((ticket) => this.#thread.post({ kind: 'search', ticket, query }));
    if (reply?.kind === 'page') return reply.page;
    throw new ArchiveUnavailableError('The archive cannot be searched at the moment; try again in a few seconds');
  }

  /** The record as JSON, by its id or the exchange's. @throws ArchiveUnavailableError */
  async get(id: string): Promise<string | undefined> {
    const reply = await this.#ask((ticket) => this.#thread.post({ kind: 'get', ticket, id }));
    if (reply?.kind === 'record') return reply.json ?? undefined;
    throw new ArchiveUnavailableError('The archive cannot be read at the moment; try again in a few seconds');
  }

  /** The record and the conversation that it holds. @throws ArchiveUnavailableError */
  async read(id: string): Promise<AuditReading | undefined> {
    const reply = await this.#ask((ticket) => this.#thread.post({ kind: 'read', ticket, id }));
    if (reply?.kind === 'reading') return reply.reading ?? undefined;
    throw new ArchiveUnavailableError('The archive cannot be read at the moment; try again in a few seconds');
  }

  /** @throws ArchiveUnavailableError */
  async state(): Promise<AuditState> {
    const reply = await this.#ask((ticket) => this.#thread.post({ kind: 'state', ticket }));
    if (reply?.kind === 'state') return reply.state;
    throw new ArchiveUnavailableError('The archive cannot be read at the moment; try again in a few seconds');
  }

  async close(signal: AbortSignal, reason: DropReason): Promise<void> {
    this.#thread.hold();
    this.#send();
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (this.#thread.running && !signal.aborted && this.#sending.length + this.#queue.records > 0) {
      await Promise.race([this.#idle.promise, aborted]);
    }
    this.#stopped = reason;
    this.#drop([...this.#sending, ...this.#queue.clear()], reason);
    this.#sending = [];
    this.#thread.post({ kind: 'close' });
    if (this.#thread.running) await Promise.race([this.#closed.promise, timeout(CLOSE_MS)]);
    await this.#thread.terminate();
    for (const question of this.#questions.values()) question(undefined);
    this.#questions.clear();
  }

  /** Closes, and removes everything that was kept. */
  async remove(): Promise<void> {
    await this.close(AbortSignal.abort(), 'removed');
    await removeArchive(this.#stateDirectory, this.#services.logger);
  }

  #send(): void {
    if (!this.#thread.running || this.#sending.length > 0 || this.#queue.records === 0) return;
    this.#sending = this.#queue.take(BATCH_BYTES);
    // Without their newlines.
    const records = this.#sending.map((line) => line.bytes.subarray(0, -1));
    const bytes = new Uint8Array(Buffer.concat(records));
    const lengths = records.map(({ length }) => length);
    this.#thread.post({ kind: 'add', lengths, bytes }, [bytes.buffer]);
  }

  #hear(reply: AuditReply): void {
    switch (reply.kind) {
      case 'added':
        this.#added(reply.kept);
        break;
      case 'log':
        this.#services.logger[reply.level](reply.message, { ...reply.fields });
        break;
      case 'closed':
        this.#closed.resolve();
        break;
      default:
        this.#questions.get(reply.ticket)?.(reply);
        this.#questions.delete(reply.ticket);
    }
  }

  #added(kept: boolean): void {
    const added = this.#sending;
    this.#sending = [];
    if (kept) {
      this.#services.metrics.logged(ARCHIVE_LABEL, 'delivered', added.length);
      for (const { settled } of added) settled('delivered');
    } else this.#drop(added, 'failed');
    this.#send();
    this.#idle.resolve();
    this.#idle = Promise.withResolvers();
  }

  async #ask(post: (ticket: number) => void): Promise<AuditReply | undefined> {
    if (!this.#thread.running || this.#questions.size >= MOST_QUESTIONS) return undefined;
    const ticket = this.#ticket++;
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#questions.get(ticket)?.(undefined), ANSWER_MS).unref();
      this.#questions.set(ticket, (reply) => {
        clearTimeout(late);
        this.#questions.delete(ticket);
        resolve(reply);
      });
      post(ticket);
    });
  }

  #threadEnded(error: unknown): void {
    this.#services.logger.error('The thread of the archive ended: it is started again', { error });
    this.#drop(this.#sending, 'failed');
    this.#sending = [];
    for (const question of this.#questions.values()) question(undefined);
    this.#idle.resolve();
    this.#idle = Promise.withResolvers();
  }

  #drop(lines: readonly QueuedLine[], reason: DropReason): void {
    if (lines.length === 0) return;
    this.#services.metrics.logged(ARCHIVE_LABEL, `dropped_${reason}`, lines.length);
    for (const { settled } of lines) settled(reason);
  }
}

/** What was kept while the archive was enabled goes when it no longer is. */
export async function removeArchive(stateDirectory: string, logger: Logger): Promise<void> {
  try {
    await rm(join(stateDirectory, AUDIT_FOLDER), { recursive: true, force: true });
  } catch (error) {
    logger.error('Cannot remove the archive of records, which the config has no more', { error });
  }
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
