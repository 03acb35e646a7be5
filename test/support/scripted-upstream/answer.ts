/** One request → the script of its answer and the scenario by which it is played. */
import type { IncomingMessage } from 'node:http';
import { type Ask, conversationScript, errorScript, readAsk } from './ask.ts';
import { CALL_ARGUMENTS } from './dialects/dialect.ts';
import { embeddings, openaiModels } from './dialects/openai.ts';
import type { AnswerLog, Journal } from './journal.ts';
import type { Script } from './play.ts';
import { parseScenario, type Scenario, scenarioOfModel } from './scenario.ts';
import { answerPieces, countTokens } from './text.ts';

export const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'api-key'];

const MODELS = ['scripted', 'scripted-mini'];

export interface Received {
  readonly request: IncomingMessage;
  readonly path: string;
  readonly body: Buffer;
  readonly log: AnswerLog;
  readonly journal: Journal;
  readonly options: { readonly requireKey?: string; readonly delayMs?: number };
}

export interface PlannedAnswer {
  readonly script: Script;
  readonly scenario: Scenario;
}

/** Never throws: what cannot be answered is refused in the dialect. */
export function planAnswer(received: Received): PlannedAnswer {
  const { request, path, body, log, options } = received;
  if (options.requireKey !== undefined && !keysOf(request).includes(options.requireKey)) {
    return refuse(received, 401, 'invalid x-api-key');
  }
  try {
    const ask = request.method === 'POST' && path.startsWith('/v1/') ? readAsk(body) : undefined;
    const scenario = scenarioFor(received, ask);
    if (scenario.status !== 200)
      return refuse(received, scenario.status, `Scripted status ${scenario.status}`, scenario);
    const script = ask ? scriptOf(path, ask, scenario, log) : plainScript(received);
    return script ? { script, scenario } : refuse(received, 404, `Not found: ${request.method} ${path}`);
  } catch (error) {
    return refuse(received, 400, error instanceof Error ? error.message : String(error));
  }
}

function scenarioFor({ request, journal, options }: Received, ask: Ask | undefined): Scenario {
  const text = journal.takeQueued() ?? single(request.headers['x-scripted']) ?? scenarioOfModel(ask?.model ?? '');
  return parseScenario(text, options.delayMs === undefined ? {} : { delayMs: options.delayMs });
}

function refuse(
  { path, request, log }: Received,
  status: number,
  message: string,
  scenario = parseScenario(''),
): PlannedAnswer {
  const dialect = errorScript(path, request.headers);
  const retryAfter: Record<string, string> = Number.isNaN(scenario.retryAfterS)
    ? {}
    : { 'retry-after': String(scenario.retryAfterS) };
  const body = dialect.errorBody(status, message, log.id);
  return { script: json(status, body, { ...dialect.headers(log.id), ...retryAfter, ...named(log) }), scenario };
}

/** Answers to requests with a model. */
function scriptOf(path: string, ask: Ask, scenario: Scenario, log: AnswerLog): Script | undefined {
  const inputTokens = countTokens(ask.text);
  if (path === '/v1/messages/count_tokens') return json(200, { input_tokens: inputTokens }, named(log));
  if (path === '/v1/embeddings') return json(200, embeddings(ask.model, ask.inputs, inputTokens), named(log));
  const dialect = conversationScript(path);
  if (!dialect) return undefined;
  const pieces = answerPieces(ask.prompt, scenario.words);
  const answer = dialect.answer({
    ...ask,
    id: log.id,
    pieces,
    inputTokens,
    callTool: scenario.callTool === 0 ? undefined : ask.tool && (scenario.call || ask.tool),
    callArguments: scenario.callArguments === '' ? CALL_ARGUMENTS : [scenario.callArguments],
  });
  const headers = { ...dialect.headers(log.id), ...named(log) };
  if (!ask.stream) return json(200, answer.json, headers);
  const type = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
  return { status: 200, headers: { ...type, ...headers }, events: answer.events, errorEvent: answer.errorEvent };
}

/** Answers to requests without one: the list of models, and an echo of any bytes for the raw dialect. */
function plainScript({ path, request, body, log }: Received): Script | undefined {
  if (path === '/v1/models') {
    const data = MODELS.map((id) => ({ type: 'model', id, display_name: id, created_at: '2026-01-01T00:00:00Z' }));
    const list = { data, has_more: false, first_id: MODELS[0], last_id: MODELS.at(-1) };
    return json(200, request.headers['anthropic-version'] === undefined ? openaiModels(MODELS) : list, named(log));
  }
  if (!path.startsWith('/echo')) return undefined;
  const type = single(request.headers['content-type']) ?? 'application/octet-stream';
  return { status: 200, headers: { 'content-type': type, ...named(log) }, events: [body], errorEvent: body };
}

function json(status: number, body: unknown, headers: Readonly<Record<string, string>>): Script {
  const text = JSON.stringify(body);
  const own = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
  return { status, headers: { ...own, ...headers }, events: [text], errorEvent: text };
}

/** By which a test finds the answer in the journal, whatever the dialect. */
function named(log: AnswerLog): Record<string, string> {
  return { 'scripted-answer-id': log.id };
}

function keysOf(request: IncomingMessage): string[] {
  return CREDENTIAL_HEADERS.map((name) => (single(request.headers[name]) ?? '').replace(/^Bearer /, ''));
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
