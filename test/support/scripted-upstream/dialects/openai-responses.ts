/** OpenAI's Responses API. */
import { type Answer, CREATED, type DialectScript, type Question, sseEvent } from './dialect.ts';
import { openaiError, openaiHeaders } from './openai.ts';

/** An event before it is numbered. */
interface Event {
  readonly type: string;
  readonly [field: string]: unknown;
}

export const openaiResponses: DialectScript = { answer, errorBody: openaiError, headers: openaiHeaders };

function answer(question: Question): Answer {
  const text = question.pieces.join('');
  const itemId = `msg_${question.digest}`;
  const place = { item_id: itemId, output_index: 0, content_index: 0 };
  const part = (content: string): object => ({ type: 'output_text', annotations: [], logprobs: [], text: content });
  const item = { id: itemId, type: 'message', role: 'assistant' };
  const done = { ...item, status: 'completed', content: [part(text)] };
  const whole = response(question, 'completed', [done]);
  const data: Event[] = [
    { type: 'response.created', response: response(question, 'in_progress', []) },
    { type: 'response.in_progress', response: response(question, 'in_progress', []) },
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { ...item, status: 'in_progress', content: [] },
    },
    { type: 'response.content_part.added', ...place, part: part('') },
    ...question.pieces.map((delta) => ({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...place, text, logprobs: [] },
    { type: 'response.content_part.done', ...place, part: part(text) },
    { type: 'response.output_item.done', output_index: 0, item: done },
    { type: 'response.completed', response: whole },
  ];
  return { events: data.map(numbered), json: whole, errorEvent: failure(question) };
}

function numbered(event: Event, index: number): string {
  const { type, ...rest } = event;
  return sseEvent({ type, sequence_number: index, ...rest }, type);
}

function failure(question: Question): string {
  const error = { type: 'server_error', code: 'server_error', message: 'The server had an error', param: null };
  const failed = { ...response(question, 'failed', []), error: { code: error.code, message: error.message } };
  return [
    { type: 'error', error },
    { type: 'response.failed', response: failed },
  ]
    .map(numbered)
    .join('');
}

function response(question: Question, status: string, output: readonly object[]): object {
  const usage = {
    input_tokens: question.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: question.pieces.length,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: question.inputTokens + question.pieces.length,
  };
  return {
    id: `resp_${question.digest}`,
    object: 'response',
    created_at: CREATED,
    status,
    error: null,
    incomplete_details: null,
    model: question.model,
    output,
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
    usage: status === 'completed' ? usage : null,
  };
}
