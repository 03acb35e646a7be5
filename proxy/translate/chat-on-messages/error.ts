/** Errors: Anthropic's → OpenAI's, with the status, type and code that clients of OpenAI act on. */
import type { JsonObject, JsonValue } from '../translator.ts';
import { type ChatErrorBody, chatError } from '../wire/chat.ts';
import { elementsOf, filled, membersOf, parseJson, parseObject } from '../wire/json.ts';
import { type ErrorType, errorTypeOf } from '../wire/messages.ts';

interface ErrorForm {
  readonly type: 'invalid_request_error' | 'insufficient_quota' | 'rate_limit_error' | 'server_error';
  readonly code: string | null;
}

const FORMS: Readonly<Record<ErrorType, ErrorForm>> = {
  invalid_request_error: { type: 'invalid_request_error', code: null },
  authentication_error: { type: 'invalid_request_error', code: 'invalid_api_key' },
  billing_error: { type: 'insufficient_quota', code: 'insufficient_quota' },
  permission_error: { type: 'invalid_request_error', code: 'permission_denied' },
  not_found_error: { type: 'invalid_request_error', code: 'model_not_found' },
  conflict_error: { type: 'invalid_request_error', code: 'conflict' },
  request_too_large: { type: 'invalid_request_error', code: 'request_too_large' },
  rate_limit_error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  api_error: { type: 'server_error', code: 'server_error' },
  timeout_error: { type: 'server_error', code: 'timeout' },
  overloaded_error: { type: 'server_error', code: 'overloaded' },
};

/** An answer with a status from 400 on. @param text its body, which may be no JSON at all */
export function chatErrorAnswer(status: number, text: string): { status: number; body: ChatErrorBody } {
  // Clouds that serve the API have errors of their own forms, and Google's are a list of one.
  const body = parseObject(text) ?? membersOf(elementsOf(parseJson(text))[0]);
  const error = membersOf(body['error']);
  const said = filled(error['message']) ?? filled(body['error']) ?? filled(body['message']);
  const message = said ?? `The upstream answered with status ${status}`;
  // OpenAI has no 529; its own word for too much load is 503, which its clients know.
  return { status: status === 529 ? 503 : status, body: written(error['type'], message, errorTypeOf(status)) };
}

/** The error event of a stream, as a chunk. */
export function chatErrorEvent(event: JsonObject): ChatErrorBody {
  const error = membersOf(event['error']);
  return written(error['type'], filled(error['message']) ?? 'The upstream reported an error', 'api_error');
}

/** Last words of a stream that we have to end. */
export function chatFarewell(message: string): ChatErrorBody {
  return chatError(message, 'server_error', 'stream_interrupted');
}

function written(type: JsonValue | undefined, message: string, otherwise: ErrorType): ChatErrorBody {
  const known = Object.entries(FORMS).find(([name]) => name === type)?.[1] ?? FORMS[otherwise];
  // Clients shorten their conversation on this code.
  const tooLong = known.type === 'invalid_request_error' && /prompt is too long|context (window|limit)/i.test(message);
  return chatError(message, known.type, tooLong ? 'context_length_exceeded' : known.code);
}
