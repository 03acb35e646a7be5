/** The translator for clients that speak Anthropic's Messages on upstreams that speak OpenAI's Chat Completions. */
import type { Translator } from '../translator.ts';
import { messagesAnswer } from './answer.ts';
import { errorAnswer, failureStatus } from './error.ts';
import { chatRequest } from './request.ts';
import { MessagesStream } from './stream.ts';

export const messagesOnChat: Translator = {
  client: 'messages',
  upstream: 'chat',
  request: (body, context) => ({ path: '/v1/chat/completions', body: chatRequest(body, context), headers: [] }),
  answer: messagesAnswer,
  error: (status, text, context) => ({ status, body: errorAnswer(status, text, context) }),
  failure: failureStatus,
  stream: (context) => new MessagesStream(context),
};
