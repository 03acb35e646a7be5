/** OpenAI's Chat Completions API. */
import { type Answer, CREATED, type DialectScript, type Question, sseEvent } from './dialect.ts';
import { openaiError, openaiHeaders } from './openai.ts';

export const openaiChat: DialectScript = { answer, errorBody: openaiError, headers: openaiHeaders };

function answer(question: Question): Answer {
  const { pieces, inputTokens } = question;
  const head = { id: `chatcmpl-${question.digest}`, created: CREATED, model: question.model, service_tier: 'default' };
  const usage = {
    prompt_tokens: inputTokens,
    completion_tokens: pieces.length,
    total_tokens: inputTokens + pieces.length,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
  const chunk = (delta: object, finish: string | null): object => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(question.includeUsage && { usage: null }),
  });
  const data = [
    chunk({ role: 'assistant', content: '', refusal: null }, null),
    ...pieces.map((content) => chunk({ content }, null)),
    chunk({}, 'stop'),
    ...(question.includeUsage ? [{ ...head, object: 'chat.completion.chunk', choices: [], usage }] : []),
  ];
  const message = { role: 'assistant', content: pieces.join(''), refusal: null, annotations: [] };
  return {
    events: [...data.map((event) => sseEvent(event)), 'data: [DONE]\n\n'],
    json: {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
      usage,
    },
    errorEvent: sseEvent(openaiError(500, 'The server had an error while processing your request')),
  };
}
