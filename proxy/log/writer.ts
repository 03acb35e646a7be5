/** Finished exchanges -> records -> targets, one after the other between the event loop's turns, so that no stream waits for them. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Metrics } from '../observe/meters.ts';
import { readAnswerBody } from '../stream/scan/answer-body.ts';
import { headerValue } from '../stream/scan.ts';
import type { JsonObject } from '../translate/translator.ts';
import { assembleAnswer, parseAssembled } from './assemble.ts';
import { draftBody, readBody } from './body.ts';
import type { ExchangeFacts } from './exchange-facts.ts';
import type { Journal } from './journal.ts';
import type { Logger } from './logger.ts';
import { buildRecord, type ExchangeRecord, type RecordIdentity } from './record.ts';
import { recordLine } from './record-line.ts';
import { PatternRedactor } from './redact/redactor.ts';
import type { Settled } from './targets/line-queue.ts';
import type { Target } from './targets/target.ts';

export interface WriterOptions {
  readonly identity: RecordIdentity;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly journal: Journal;
  /** The targets of the config in force. */
  readonly targets: () => readonly Target[];
}

/** Finished exchanges that may wait for their record; their bodies are bounded by the capture budget. */
const WAITING_LIMIT = 10_000;
/** So long a turn of the event loop may take for records before streams have their turn again. */
const TURN_MS = 1;
/** Records that may be in the hands of the redacting thread. */
const AT_ONCE = 16;
/** An answer may unpack to more than was captured of it. */
const DECODE_BYTES = 16 * 1024 * 1024;

export class RecordWriter {
  readonly #options: WriterOptions;
  readonly #redactor: PatternRedactor;
  /** In the order in which they ended. */
  readonly #waiting = new Set<ExchangeFacts>();
  /** Those of them whose record is being made. */
  readonly #begun = new Map<ExchangeFacts, Promise<void>>();
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#redactor = new PatternRedactor((error) => {
      options.logger.error('Cannot redact in a thread of its own: records are redacted beside the streams', { error });
    });
  }

  add(facts: ExchangeFacts): void {
    this.#waiting.add(facts);
    const [oldest] = this.#waiting;
    if (this.#waiting.size > WAITING_LIMIT && oldest && this.#takeOff(oldest)) this.#lose([oldest], 'overflow');
    this.#options.metrics.unwritten(this.#waiting.size);
    this.#working ??= this.#work();
  }

  /** A record that is ready, such as one of an exchange that was found in the journal. */
  put(record: ExchangeRecord): void {
    const targets = this.#options.targets();
    const settled = this.#closing(record.id, targets.length);
    if (targets.length === 0) return;
    const line = recordLine(record);
    for (const target of targets) target.deliver(line, settled, record.id);
  }

  /** Finishes what waits until the signal aborts; the rest is counted as dropped. */
  async close(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (this.#working !== undefined && !signal.aborted) await Promise.race([this.#working, aborted]);
    this.#stopped = true;
    const left = [...this.#waiting];
    this.#waiting.clear();
    this.#lose(left, 'shutdown');
    await this.#redactor.close();
  }

  async #work(): Promise<void> {
    for (;;) {
      await nextTurn();
      const turnEndsAt = performance.now() + TURN_MS;
      for (const facts of this.#waiting) {
        if (this.#stopped || this.#begun.size >= AT_ONCE || performance.now() > turnEndsAt) break;
        if (this.#begun.has(facts)) continue;
        const made = this.#make(facts);
        // Another thread is asked for patterns: the next record need not wait for its answer.
        if (facts.rules.patterns.length === 0) await made;
      }
      if (this.#begun.size > 0 && (this.#begun.size >= AT_ONCE || this.#begun.size === this.#waiting.size)) {
        await Promise.race(this.#begun.values());
      }
      if (this.#waiting.size > 0 && !this.#stopped) continue;
      // In the same turn as the look at the queue, so that nothing added now is left lying.
      this.#working = undefined;
      return;
    }
  }

  /** Never rejects. */
  #make(facts: ExchangeFacts): Promise<void> {
    const making = this.#write(facts).finally(() => {
      this.#begun.delete(facts);
      facts.requestBody.release();
      facts.responseBody.release();
    });
    this.#begun.set(facts, making);
    return making;
  }

  async #write(facts: ExchangeFacts): Promise<void> {
    try {
      const record = await this.#record(facts);
      // Taken off only now: what is being worked on when the log closes still has to be counted.
      if (!this.#takeOff(facts)) return;
      this.put(record);
    } catch (error) {
      this.#options.metrics.watchFailed('record');
      this.#options.logger.error('Cannot make the record of an exchange: it is counted as dropped', {
        id: facts.head.id,
        error,
      });
      if (this.#takeOff(facts)) this.#lose([facts], 'failed');
    }
  }

  /** @returns whether it still waited */
  #takeOff(facts: ExchangeFacts): boolean {
    const was = this.#waiting.delete(facts);
    this.#options.metrics.unwritten(this.#waiting.size);
    return was;
  }

  async #record(facts: ExchangeFacts): Promise<ExchangeRecord> {
    const { rules, answer, requestBody, responseBody } = facts;
    const requestEncoding = headerValue(facts.head.rawHeaders, 'content-encoding');
    const answerEncoding = headerValue(answer?.rawHeaders ?? [], 'content-encoding');
    const limitBytes = Math.max(rules.bodies.maxBytes, DECODE_BYTES);
    const request = await readBody(requestBody, requestEncoding, limitBytes);
    const response = await readBody(responseBody, answerEncoding, limitBytes);
    const read = this.#readAnswer(facts, response?.bytes);
    const requestDraft = draftBody(requestBody, request, rules.bodies);
    const responseDraft = draftBody(responseBody, response, rules.bodies);
    const { texts, count } = await this.#redactor.redact([requestDraft.content, responseDraft.content], rules.patterns);
    const [requestText = '', responseText = ''] = texts;
    const assembled = await this.#assemble(facts, response?.bytes);
    return buildRecord(
      facts,
      {
        requestBody: { draft: requestDraft, content: requestText },
        responseBody: { draft: responseDraft, content: responseText },
        assembled,
        patternsReplaced: count,
        ...read,
      },
      this.#options.identity,
    );
  }

  /** What is replaced here was counted in the body that it is made of. */
  async #assemble({ rules, head, answer }: ExchangeFacts, body: Buffer | undefined): Promise<JsonObject | undefined> {
    if (!rules.assemble || answer === undefined || body === undefined) return undefined;
    const path = head.target.split('?', 1)[0] ?? '';
    const json = await assembleAnswer(path, answer.rawHeaders, body, rules.bodies.jsonPaths);
    const { texts } = await this.#redactor.redact([json], rules.patterns);
    return parseAssembled(texts[0] ?? '');
  }

  /** Model and usage as the stream told them, or else from the body; tokens of the latter are counted here. */
  #readAnswer(facts: ExchangeFacts, body: Buffer | undefined): Pick<ExchangeFacts, 'model' | 'usage'> {
    const { answer, model, usage } = facts;
    if (usage !== undefined || answer === undefined || body === undefined) return { model, usage };
    const path = facts.head.target.split('?', 1)[0] ?? '';
    const read = readAnswerBody(answer.upstreamDialect, path, answer.rawHeaders, body);
    const isChained = facts.rules.gateways.has(answer.upstream);
    if (read.usage !== undefined)
      this.#options.metrics.tokens(read.model ?? facts.request?.model, read.usage, isChained);
    return { model: model ?? read.model, usage: read.usage };
  }

  #lose(lost: readonly ExchangeFacts[], reason: 'overflow' | 'shutdown' | 'failed'): void {
    const targets = this.#options.targets();
    for (const { head, requestBody, responseBody } of lost) {
      for (const target of targets) target.lose(reason);
      requestBody.release();
      responseBody.release();
      if (reason !== 'shutdown') this.#options.journal.soon({ mark: 'closed', id: head.id });
    }
  }

  /**
   * Closes the exchange in the journal when every target is done with its record. What a shutdown cut off stays open, so that
   * the next start still writes down that it was.
   */
  #closing(id: string, targets: number): Settled {
    let left = targets;
    let interrupted = false;
    const close = (): void => {
      if (!interrupted) this.#options.journal.soon({ mark: 'closed', id });
    };
    if (left === 0) close();
    return (fate) => {
      interrupted ||= fate === 'shutdown';
      left--;
      if (left === 0) close();
    };
  }
}
