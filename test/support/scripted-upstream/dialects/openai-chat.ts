/** OpenAI's Chat Completions API. */
import { type Answer, CREATED, type DialectScript, type Question, sseEvent } from './dialect.ts';
import { openaiError, openaiHeaders } from './openai.ts';

export const openaiChat: DialectScript = { answer, errorBody: openaiError, headers: openaiHeaders };

function answer(question: Question): Answer {
  const { pieces, inputTokens, callTool, callArguments } = question;
  const head = { id: `chatcmpl-${question.digest}`, created: CREATED, model: question.model, service_tier: 'default' };
  const usage = usageOf(inputTokens, pieces.length);
  const chunk = (delta: object, finishReason: string | null): object => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...(question.includeUsage && { usage: null }),
  });
  const call = { id: `call_${question.digest}`, type: 'function' };
  const finish = callTool === undefined ? 'stop' : 'tool_calls';
  const deltas =
    callTool === undefined
      ? pieces.map((content) => ({ content }))
      : [
          { tool_calls: [{ index: 0, ...call, function: { name: callTool, arguments: '' } }] },
          ...callArguments.map((fragment) => ({ tool_calls: [{ index: 0, function: { arguments: fragment } }] })),
        ];
  const data = [
    chunk({ role: 'assistant', content: callTool === undefined ? '' : null, refusal: null }, null),
    ...deltas.map((delta) => chunk(delta, null)),
    chunk({}, finish),
    ...(question.includeUsage ? [{ ...head, object: 'chat.completion.chunk', choices: [], usage }] : []),
  ];
  const said = { role: 'assistant', refusal: null, annotations: [] };
  const message =
    callTool === undefined
      ? { ...said, content: pieces.join('') }
      : {
          ...said,
          content: null,
          tool_calls: [{ ...call, function: { name: callTool, arguments: callArguments.join('') } }],
        };
  return {
    events: [...data.map((event) => sseEvent(event)), 'data: [DONE]\n\n'],
    json: {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
      usage,
    },
    errorEvent: sseEvent(openaiError(500, 'The server had an error while processing your request')),
  };
}

function usageOf(inputTokens: number, outputTokens: number): object {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
}
