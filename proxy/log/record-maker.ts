/** What a tap gathered -> a record: bodies decoded and redacted, a stream folded where that is asked for. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Metrics } from '../observe/meters.ts';
import { readAnswerBody } from '../stream/scan/answer-body.ts';
import { headerValue } from '../stream/scan.ts';
import type { JsonObject } from '../translate/translator.ts';
import { assembleAnswer, parseAssembled } from './assemble.ts';
import { draftBody, readBody } from './body.ts';
import type { FactsSoFar } from './exchange-facts.ts';
import type { Logger } from './logger.ts';
import { heldBack } from './partials/hold-back.ts';
import { buildRecord, type ExchangeRecord, type PartialRecord, type RecordIdentity } from './record.ts';
import { PatternRedactor } from './redact/redactor.ts';

export interface RecordMakerOptions {
  readonly identity: RecordIdentity;
  readonly metrics: Pick<Metrics, 'tokens'>;
  readonly logger: Pick<Logger, 'error'>;
}

/** An answer may unpack to more than was captured of it. */
const DECODE_BYTES = 16 * 1024 * 1024;

export class RecordMaker {
  readonly #options: RecordMakerOptions;
  readonly #redactor: PatternRedactor;

  constructor(options: RecordMakerOptions) {
    this.#options = options;
    this.#redactor = new PatternRedactor((error) => {
      options.logger.error('Cannot redact in a thread of its own: records are redacted beside the streams', { error });
    });
  }

  /** Of a stream that is still running it takes more turns of the event loop: nobody waits for that record. */
  async make(facts: FactsSoFar): Promise<ExchangeRecord | PartialRecord> {
    const { rules, answer, requestBody, responseBody } = facts;
    const requestEncoding = headerValue(facts.head.rawHeaders, 'content-encoding');
    const answerEncoding = headerValue(answer?.rawHeaders ?? [], 'content-encoding');
    const limitBytes = Math.max(rules.bodies.maxBytes, DECODE_BYTES);
    const request = await readBody(requestBody, requestEncoding, limitBytes);
    const response = await readBody(responseBody, answerEncoding, limitBytes);
    const read = this.#readAnswer(facts, response?.bytes);
    const requestDraft = draftBody(requestBody, request, rules.bodies);
    if (facts.end === undefined) await nextTurn();
    const responseDraft = draftBody(responseBody, response, rules.bodies);
    const { texts, count } = await this.#redactor.redact([requestDraft.content, responseDraft.content], rules.patterns);
    const [requestText = '', responseText = ''] = texts;
    const shown = heldBack(facts, { draft: responseDraft, content: responseText });
    const isWhole = shown.content === responseText;
    const assembled = await this.#assemble(facts, isWhole ? response?.bytes : Buffer.from(shown.content));
    if (facts.end === undefined) await nextTurn();
    return buildRecord(
      facts,
      {
        requestBody: { draft: requestDraft, content: requestText },
        responseBody: shown,
        assembled,
        patternsReplaced: count,
        ...read,
      },
      this.#options.identity,
    );
  }

  /** Counts the tokens of an exchange of which no record is wanted. */
  async count(facts: FactsSoFar): Promise<void> {
    const encoding = headerValue(facts.answer?.rawHeaders ?? [], 'content-encoding');
    const response = await readBody(facts.responseBody, encoding, DECODE_BYTES);
    this.#readAnswer(facts, response?.bytes);
  }

  /** From now on no record waits for others to come along. */
  hurry(): void {
    this.#redactor.hurry();
  }

  close(): Promise<void> {
    return this.#redactor.close();
  }

  /** What is replaced here was counted in the body that it is made of. */
  async #assemble({ rules, head, answer }: FactsSoFar, body: Buffer | undefined): Promise<JsonObject | undefined> {
    if (!rules.assemble || answer === undefined || body === undefined) return undefined;
    const path = head.target.split('?', 1)[0] ?? '';
    const json = await assembleAnswer(path, answer.rawHeaders, body, rules.bodies.jsonPaths);
    const { texts } = await this.#redactor.redact([json], rules.patterns);
    return parseAssembled(texts[0] ?? '');
  }

  /** Model and usage as the stream told them, or else from the body; tokens of the latter are counted here, once. */
  #readAnswer(facts: FactsSoFar, body: Buffer | undefined): Pick<FactsSoFar, 'model' | 'usage'> {
    const { answer, model, usage, end } = facts;
    if (usage !== undefined || answer === undefined || body === undefined || end === undefined) return { model, usage };
    const path = facts.head.target.split('?', 1)[0] ?? '';
    const read = readAnswerBody(answer.upstreamDialect, path, answer.rawHeaders, body);
    const isChained = facts.rules.gateways.has(answer.upstream);
    if (read.usage !== undefined)
      this.#options.metrics.tokens(read.model ?? facts.request?.model, read.usage, isChained);
    return { model: model ?? read.model, usage: read.usage };
  }
}
