/** A whole answer: Anthropic's message → OpenAI's completion. */
import type { JsonObject, TranslationContext } from '../translator.ts';
import type { ChatHead, ChatToolCall } from '../wire/chat.ts';
import { elementsOf, filled, membersOf } from '../wire/json.ts';
import { answerForm } from './answer-form.ts';
import { annotationsOf } from './citations.ts';
import { remark } from './loss.ts';
import { finishReason, refusalOf } from './stop-reason.ts';
import { type Place, returnable } from './thinking-blocks.ts';
import { chatUsage } from './usage.ts';

/** @throws Error when it is no message */
export function chatAnswer(message: JsonObject, context: TranslationContext): JsonObject {
  if (message['type'] !== 'message' || !Array.isArray(message['content']))
    throw new Error('The upstream answered with something else than a message');
  const parts = new AnswerParts(context);
  for (const block of elementsOf(message['content'])) parts.add(membersOf(block));
  const { functions } = answerForm(context);
  const stop = finishReason(message['stop_reason'], parts.calls.length, functions);
  if (stop.unknown) remark(context, 'stop_reason');
  const choice = {
    index: 0,
    message: parts.message(refusalOf(message) ?? null, functions),
    logprobs: null,
    finish_reason: stop.reason,
  };
  const { id, created, model } = chatHead(message, context);
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    choices: [choice],
    usage: chatUsage(membersOf(message['usage'])),
  };
}

/** The upstream's id stays, so that an answer can be found in its provider's logs. */
export function chatHead(message: JsonObject, context: TranslationContext): ChatHead {
  return {
    id: filled(message['id']) ?? `chatcmpl-${context.exchangeId}`,
    created: context.createdSeconds,
    model: filled(message['model']) ?? context.askedModel ?? '',
  };
}

/** The loss that a block means which is neither text nor thinking nor a call of the client's tools. */
export function loseBlock(type: unknown, context: TranslationContext): void {
  const ofServer = typeof type === 'string' && /^(server_tool_use|mcp_tool_use|.+_tool_result)$/.test(type);
  remark(context, ofServer ? 'server_tool' : 'unknown_block');
}

class AnswerParts {
  readonly calls: ChatToolCall[] = [];
  readonly #context: TranslationContext;
  readonly #thinking: JsonObject[] = [];
  readonly #annotations: JsonObject[] = [];
  #text = '';
  #reasoning = '';

  constructor(context: TranslationContext) {
    this.#context = context;
  }

  add(block: JsonObject): void {
    switch (block['type']) {
      case 'text': {
        const start = this.#text.length;
        this.#text += filled(block['text']) ?? '';
        this.#annotations.push(...annotationsOf(block['citations'], start, this.#text.length, this.#context));
        return;
      }
      case 'thinking':
      case 'redacted_thinking':
        this.#reasoning += filled(block['thinking']) ?? '';
        this.#thinking.push(...returnable(block, this.#thinking.length, this.#place()));
        return;
      case 'tool_use':
        this.calls.push({
          id: filled(block['id']) ?? `call_${this.calls.length}`,
          type: 'function',
          function: { name: filled(block['name']) ?? '', arguments: JSON.stringify(block['input'] ?? {}) },
        });
        return;
      default:
        loseBlock(block['type'], this.#context);
    }
  }

  #place(): Place {
    return { characters: this.#text.length, calls: this.calls.length };
  }

  message(refusal: string | null, functions: boolean): JsonObject {
    const [first] = this.calls;
    const calls = functions && first !== undefined ? { function_call: first.function } : { tool_calls: this.calls };
    return {
      role: 'assistant',
      content: this.#text === '' && (first !== undefined || refusal !== null) ? null : this.#text,
      refusal,
      ...(this.#reasoning !== '' && { reasoning_content: this.#reasoning }),
      ...(this.#thinking.length > 0 && { thinking_blocks: this.#thinking }),
      ...(this.#annotations.length > 0 && { annotations: this.#annotations }),
      ...(first !== undefined && calls),
    };
  }
}
