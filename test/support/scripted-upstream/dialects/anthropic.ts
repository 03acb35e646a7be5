/** Anthropic's Messages API, as api.anthropic.com answers it. */
import { type Answer, type DialectScript, type Question, sseEvent } from './dialect.ts';

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

export const anthropic: DialectScript = {
  answer,
  errorBody: (status, message, id) => ({
    type: 'error',
    error: { type: ERROR_TYPES[status] ?? 'api_error', message },
    request_id: id,
  }),
  headers: (id) => ({
    'request-id': id,
    'anthropic-organization-id': '00000000-0000-4000-8000-000000000000',
    'anthropic-ratelimit-requests-limit': '4000',
    'anthropic-ratelimit-requests-remaining': '3999',
    'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:00Z',
  }),
};

function answer(question: Question): Answer {
  const { pieces } = question;
  const usage = { input_tokens: question.inputTokens, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  const message = { id: `msg_${question.digest}`, type: 'message', role: 'assistant', model: question.model };
  const { callTool, callArguments } = question;
  const end = { stop_reason: callTool === undefined ? 'end_turn' : 'tool_use', stop_sequence: null };
  const call = { type: 'tool_use', id: `toolu_${question.digest}`, name: callTool ?? '' };
  const block = callTool === undefined ? { type: 'text', text: '' } : { ...call, input: {} };
  const deltas =
    callTool === undefined
      ? pieces.map((text) => ({ type: 'text_delta', text }))
      : callArguments.map((partial_json) => ({ type: 'input_json_delta', partial_json }));
  const data = [
    {
      type: 'message_start',
      message: {
        ...message,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...usage, output_tokens: 1 },
      },
    },
    { type: 'content_block_start', index: 0, content_block: block },
    { type: 'ping' },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: end, usage: { ...usage, output_tokens: pieces.length } },
    { type: 'message_stop' },
  ];
  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
  return {
    events: data.map((event) => sseEvent(event, event.type)),
    json: {
      ...message,
      content: [
        callTool === undefined
          ? { type: 'text', text: pieces.join('') }
          : { ...call, input: JSON.parse(callArguments.join('')) as object },
      ],
      ...end,
      usage: { ...usage, output_tokens: pieces.length },
    },
    errorEvent: sseEvent(overloaded, 'error'),
  };
}
