/** Which translator serves a client's path at an upstream of the other dialect. */
import type { Dialect } from '#contract/dialect.ts';
import { chatOnMessages } from './chat-on-messages/chat-on-messages.ts';
import { messagesOnChat } from './messages-on-chat/messages-on-chat.ts';
import type { Translator } from './translator.ts';

/** @returns undefined when the dialects agree, or when nothing translates this path (`isServable` says which) */
export function translatorFor(client: Dialect, upstream: Dialect, path: string): Translator | undefined {
  if (client === 'anthropic' && upstream === 'openai' && path === '/v1/messages') return messagesOnChat;
  if (client === 'openai' && upstream === 'anthropic' && path === '/v1/chat/completions') return chatOnMessages;
  return undefined;
}
