/** Errors of a Chat Completions upstream, whole or inside a stream, and of whatever stands in front of it → Anthropic's. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { elementsOf, filled, isObject, membersOf, parseJson, parseObject } from '../wire/json.ts';
import { ERROR_TYPES, type ErrorType, errorTypeOf, type MessagesError } from '../wire/messages.ts';

/** Of a body that is no JSON, and of what another provider said, this much is passed on. */
const MAX_EXCERPT_CHARS = 300;

/** Types and codes that OpenAI and its likes name → Anthropic's. */
const TYPES: ReadonlyMap<string, ErrorType> = new Map([
  ['server_error', 'api_error'],
  ['internal_error', 'api_error'],
  ['internal_server_error', 'api_error'],
  ['rate_limit_exceeded', 'rate_limit_error'],
  ['tokens', 'rate_limit_error'],
  ['requests', 'rate_limit_error'],
  ['insufficient_quota', 'rate_limit_error'],
  ['invalid_api_key', 'authentication_error'],
  ['model_not_found', 'not_found_error'],
  ['overloaded', 'overloaded_error'],
  ['service_unavailable', 'overloaded_error'],
  ['timeout', 'timeout_error'],
  ['bad_request', 'invalid_request_error'],
  ['BadRequestError', 'invalid_request_error'],
  ['content_filter', 'invalid_request_error'],
  ...ERROR_TYPES.map((type): [string, ErrorType] => [type, type]),
]);

/** An answer with a status from 400 on: the status stays, the body takes Anthropic's form. */
export function errorAnswer(status: number, text: string, context: TranslationContext): JsonObject {
  const body = parseObject(text) ?? listedError(text);
  const message =
    body === undefined ? excerpt(status, text) : messageOf(errorIn(body) ?? body, `The upstream answered ${status}`);
  return { type: 'error', error: { type: errorTypeOf(status), message }, request_id: context.exchangeId };
}

/** An error inside a stream, which has no status of its own. */
export function streamError(error: JsonValue): MessagesError {
  const facts = membersOf(error);
  const status = statusOf(facts['code']) ?? statusOf(facts['status']);
  const named = [facts['code'], facts['type']].map((name) => TYPES.get(filled(name) ?? '')).find(Boolean);
  const type = status === undefined ? (named ?? 'api_error') : errorTypeOf(status);
  return { type, message: messageOf(error, 'The upstream broke off its answer with an error') };
}

/** @returns the error that an object of the upstream carries, in any of the shapes seen; undefined when it is none */
export function errorIn(body: JsonObject): JsonValue | undefined {
  // OpenRouter: the provider behind it failed half way, and the choice says so.
  const ofChoice = membersOf(elementsOf(body['choices'])[0])['error'];
  const error = body['error'] ?? membersOf(body['x_groq'])['error'] ?? ofChoice;
  if (error !== undefined && error !== null) return error;
  // vLLM of old and Mistral: the error is the object itself.
  return body['object'] === 'error' || body['type'] === 'error' ? body : undefined;
}

/** Routers answer 200 before they know how it goes. @returns the status of the error that such an answer holds; undefined for none */
export function failureStatus(body: JsonObject): number | undefined {
  const error = errorIn(body);
  if (error === undefined) return undefined;
  const { code, status } = membersOf(error);
  return statusOf(code) ?? statusOf(status) ?? 502;
}

/** Gemini's errors, whole or inside a stream, are a list of one. @returns what the list holds first; undefined for no such list */
export function listedError(text: string): JsonObject | undefined {
  const [first] = elementsOf(parseJson(text));
  return isObject(first) && errorIn(first) !== undefined ? first : undefined;
}

function messageOf(error: JsonValue, otherwise: string): string {
  const facts = membersOf(error);
  const message =
    filled(error) ??
    filled(facts['message']) ??
    filled(facts['detail']) ??
    detailOf(facts['detail'] ?? facts['message']);
  // OpenRouter says that its provider failed, and what that one said beside it.
  const raw = filled(membersOf(facts['metadata'])['raw'])?.slice(0, MAX_EXCERPT_CHARS);
  const whole = [message ?? `${otherwise} and does not say why`, raw].filter(Boolean).join(': ');
  return forRecovery(whole, facts);
}

/** FastAPI's lists of what is wrong with a request, as vLLM and Mistral answer them; the part that quotes the request stays out. */
function detailOf(detail: JsonValue | undefined): string | undefined {
  const problems = elementsOf(isObject(detail) ? detail['detail'] : detail).map((problem) => {
    const { loc, msg } = membersOf(problem);
    return [elementsOf(loc).filter(isName).join('.'), filled(msg)].filter(Boolean).join(': ');
  });
  return filled(problems.filter(Boolean).join('; '));
}

function isName(value: JsonValue): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

/** How servers say that a conversation is too long: OpenAI, vLLM, Mistral and DeepSeek; xAI; Gemini; llama.cpp, LM Studio. */
const TOO_LONG: readonly RegExp[] = [
  /maximum (context|model|prompt) length/i,
  /exceeds? the (maximum number of tokens allowed|context window|available context size)/i,
  /greater than the context length/i,
];

/** Clients know by these words that they have to shorten the conversation (Claude Code compacts it then). */
function forRecovery(message: string, facts: JsonObject): string {
  const tooLong = facts['code'] === 'context_length_exceeded' || TOO_LONG.some((words) => words.test(message));
  return tooLong && !/prompt is too long/i.test(message) ? `prompt is too long: ${message}` : message;
}

/** What a proxy or load balancer in front of the upstream has to say: the title of a page, or the beginning of a text. */
function excerpt(status: number, text: string): string {
  const title = /<title>([^<]*)<\/title>/i.exec(text)?.[1];
  const words = (title ?? (/^\s*</.test(text) ? '' : text)).replaceAll(/\s+/g, ' ').trim();
  const said = words === '' ? 'a body that is no JSON' : `"${words.slice(0, MAX_EXCERPT_CHARS)}"`;
  return `The upstream answered ${status} with ${said}`;
}

/** A status, which routers give as the error's code, some of them as a text. */
function statusOf(value: JsonValue | undefined): number | undefined {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : undefined;
}
