/** What a tap gathered -> a record's line: bodies decoded and redacted, a stream folded where that is asked for. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type AnswerReading, NOTHING_READ, readAnswerBody } from '../../stream/scan/answer-body.ts';
import type { Usage } from '../../stream/scan/usage.ts';
import { headerValue } from '../../stream/scan.ts';
import { type Assembled, assembleAnswer } from '../assemble.ts';
import { type BodyDraft, draftBody, type ReadableBody, readBody } from '../body.ts';
import type { FactsSoFar } from '../exchange-facts.ts';
import { heldBack, type ShownBody } from '../partials/hold-back.ts';
import { lineInTurns } from '../partials/line-in-turns.ts';
import { buildRecord, type ExchangeRecord, type PartialRecord, present, type RecordIdentity } from '../record.ts';
import { recordLine } from '../record-line.ts';
import { replacePatterns } from '../redact/patterns.ts';

/** Tokens that nobody has counted yet: an answer told of them in its body alone. */
export interface ReadTokens {
  readonly model: string | undefined;
  readonly usage: Usage;
  /** A gateway of ours served it: it counts the same tokens, as its own. */
  readonly isChained: boolean;
}

export interface MadeLine {
  /** The record as targets get it, with its newline. */
  readonly line: Buffer;
  readonly tokens?: ReadTokens;
}

/** An answer may unpack to more than was captured of it. */
const DECODE_BYTES = 16 * 1024 * 1024;

/** Of a stream that is still running it takes more turns of the event loop: nobody waits for that record. */
export async function makeLine(facts: FactsSoFar, identity: RecordIdentity): Promise<MadeLine> {
  const response = await readResponse(facts);
  const reading = readAnswer(facts, response);
  const record = await makeRecord(facts, { response, reading, identity });
  const line = facts.end === undefined ? await lineInTurns(record) : recordLine(record);
  return { line, ...present('tokens', tokensOf(facts, reading)) };
}

/** Of an exchange of which no record is wanted. */
export async function readTokens(facts: FactsSoFar): Promise<ReadTokens | undefined> {
  return tokensOf(facts, readAnswer(facts, await readResponse(facts)));
}

interface Read {
  readonly response: ReadableBody | undefined;
  readonly reading: AnswerReading;
  readonly identity: RecordIdentity;
}

async function makeRecord(
  facts: FactsSoFar,
  { response, reading, identity }: Read,
): Promise<ExchangeRecord | PartialRecord> {
  const { rules, head, requestBody, responseBody, model, usage } = facts;
  const request = await readBody(requestBody, headerValue(head.rawHeaders, 'content-encoding'), decodeBytes(facts));
  const requestDraft = draftBody(requestBody, request, rules.bodies);
  if (facts.end === undefined) await nextTurn();
  const responseDraft = draftBody(responseBody, response, rules.bodies);
  const { texts, count } = await replacePatterns([requestDraft.content, responseDraft.content], rules.patterns);
  const [requestText = '', responseText = ''] = texts;
  const shown = heldBack(facts, { draft: responseDraft, content: responseText });
  const assembled = await assemble(facts, response && shownBytes(facts, response, { draft: responseDraft, shown }));
  if (facts.end === undefined) await nextTurn();
  const parts = {
    requestBody: { draft: requestDraft, content: requestText },
    responseBody: shown,
    assembled,
    patternsReplaced: count,
    model: model ?? reading.model,
    usage: usage ?? reading.usage,
  };
  return buildRecord(facts, parts, identity);
}

function readResponse(facts: FactsSoFar): Promise<ReadableBody | undefined> {
  const encoding = headerValue(facts.answer?.rawHeaders ?? [], 'content-encoding');
  return readBody(facts.responseBody, encoding, decodeBytes(facts));
}

function decodeBytes({ rules }: FactsSoFar): number {
  return Math.max(rules.bodies.maxBytes, DECODE_BYTES);
}

/** The answer's body as the record shows it: what is hidden or cut there must not be put together from what came. */
function shownBytes(
  { rules }: FactsSoFar,
  { bytes }: ReadableBody,
  { draft, shown }: { readonly draft: BodyDraft; readonly shown: ShownBody },
): Buffer {
  if (shown.content === draft.content && draft.redacted === 0) return bytes.subarray(0, rules.bodies.maxBytes);
  return Buffer.from(shown.content, draft.form === 'base64' ? 'latin1' : 'utf8');
}

/** What is replaced here was counted in the body that it is made of. */
async function assemble(
  { rules, head, answer }: FactsSoFar,
  shown: Buffer | undefined,
): Promise<Assembled | undefined> {
  if (!rules.assemble || answer === undefined || shown === undefined) return undefined;
  const { patterns, bodies } = rules;
  return assembleAnswer(pathOf(head.target), answer.rawHeaders, shown, { patterns, jsonPaths: bodies.jsonPaths });
}

/** Model and usage that the stream did not tell of, from the body. */
function readAnswer({ answer, usage, end, head }: FactsSoFar, response: ReadableBody | undefined): AnswerReading {
  if (usage !== undefined || answer === undefined || response === undefined || end === undefined) return NOTHING_READ;
  return readAnswerBody(answer.upstreamDialect, pathOf(head.target), answer.rawHeaders, response.bytes);
}

function tokensOf({ request, answer, rules }: FactsSoFar, { model, usage }: AnswerReading): ReadTokens | undefined {
  if (usage === undefined) return undefined;
  return { model: model ?? request?.model, usage, isChained: rules.gateways.has(answer?.upstream ?? '') };
}

function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? '';
}
