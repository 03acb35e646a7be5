/** What OpenAI's APIs share: errors, headers, embeddings, models. */
import { CREATED } from './dialect.ts';

const ERRORS: Readonly<Record<number, { type: string; code: string | null }>> = {
  400: { type: 'invalid_request_error', code: null },
  401: { type: 'invalid_request_error', code: 'invalid_api_key' },
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  429: { type: 'requests', code: 'rate_limit_exceeded' },
};

export function openaiError(status: number, message: string): unknown {
  const { type, code } = ERRORS[status] ?? { type: 'server_error', code: null };
  return { error: { message, type, param: null, code } };
}

export function openaiHeaders(id: string): Record<string, string> {
  return {
    'x-request-id': id,
    'openai-version': '2020-10-01',
    'openai-organization': 'scripted',
    'openai-processing-ms': '12',
    'x-ratelimit-limit-requests': '10000',
    'x-ratelimit-remaining-requests': '9999',
  };
}

/** One unit vector for each input, the same for the same request. */
export function embeddings(model: string, inputs: number, promptTokens: number): unknown {
  const data = Array.from({ length: inputs }, (_, index) => ({
    object: 'embedding',
    index,
    embedding: [0.6, 0, -0.8, 0],
  }));
  return { object: 'list', data, model, usage: { prompt_tokens: promptTokens, total_tokens: promptTokens } };
}

export function openaiModels(names: readonly string[]): unknown {
  return { object: 'list', data: names.map((id) => ({ id, object: 'model', created: CREATED, owned_by: 'scripted' })) };
}
