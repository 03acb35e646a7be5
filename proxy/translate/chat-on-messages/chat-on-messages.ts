/** Translation for clients of OpenAI's Chat Completions on upstreams of Anthropic's Messages. */
import type { Translator } from '../translator.ts';
import { chatAnswer } from './answer.ts';
import { chatErrorAnswer } from './error.ts';
import { messagesRequest } from './request.ts';
import { ChatStream } from './stream.ts';

export const chatOnMessages: Translator = {
  client: 'chat',
  upstream: 'messages',
  request: messagesRequest,
  answer: chatAnswer,
  error: chatErrorAnswer,
  stream: (context) => new ChatStream(context),
};
