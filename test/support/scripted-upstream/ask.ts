/** Request → what is asked: dialect, model, prompt, stream. Reads only what an answer depends on. */
import { createHash } from 'node:crypto';
import { anthropic } from './dialects/anthropic.ts';
import type { DialectScript } from './dialects/dialect.ts';
import { openaiChat } from './dialects/openai-chat.ts';
import { openaiResponses } from './dialects/openai-responses.ts';

export interface Ask {
  readonly model: string;
  readonly prompt: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Name of the first tool that is offered, unless the last message already brings a result. */
  readonly tool: string | undefined;
  /** Entries of an embeddings request. */
  readonly inputs: number;
  /** The whole body's text, for the count of its tokens. */
  readonly text: string;
  readonly digest: string;
}

const CONVERSATIONS: Readonly<Record<string, DialectScript>> = {
  '/v1/messages': anthropic,
  '/v1/chat/completions': openaiChat,
  '/v1/responses': openaiResponses,
};

/** The dialect's script of a path that answers conversations. */
export function conversationScript(path: string): DialectScript | undefined {
  return Object.hasOwn(CONVERSATIONS, path) ? CONVERSATIONS[path] : undefined;
}

/** Whose form errors have on that path. */
export function errorScript(path: string, headers: Readonly<Record<string, unknown>>): DialectScript {
  if (path.startsWith('/v1/messages') || headers['anthropic-version'] !== undefined) return anthropic;
  return openaiChat;
}

/**
 * Reads the body.
 * @throws Error for people when it is no JSON object with a model
 */
export function readAsk(body: Buffer): Ask {
  const text = body.toString('utf8');
  const parsed = parse(text);
  if (typeof parsed['model'] !== 'string') throw new Error('The field "model" must be a string');
  const options = parsed['stream_options'] as { include_usage?: unknown } | undefined;
  const input = parsed['input'];
  return {
    model: parsed['model'],
    prompt: lastText(parsed['messages'] ?? input),
    stream: parsed['stream'] === true,
    includeUsage: options?.include_usage === true,
    tool: holdsResult(parsed['messages']) ? undefined : firstTool(parsed['tools']),
    inputs: Array.isArray(input) ? input.length : 1,
    text,
    digest: createHash('sha256').update(body).digest('hex').slice(0, 24),
  };
}

/** Anthropic names a tool itself, OpenAI inside `function`. */
function firstTool(tools: unknown): string | undefined {
  const [first] = Array.isArray(tools) ? (tools as { name?: unknown; function?: { name?: unknown } }[]) : [];
  const name = first?.function?.name ?? first?.name;
  return typeof name === 'string' ? name : undefined;
}

function holdsResult(messages: unknown): boolean {
  const last = Array.isArray(messages)
    ? (messages.at(-1) as { role?: unknown; content?: unknown } | undefined)
    : undefined;
  if (last?.role === 'tool') return true;
  return Array.isArray(last?.content) && last.content.some((block: { type?: unknown }) => block.type === 'tool_result');
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('The body must be JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('The body must be a JSON object');
  return value as Record<string, unknown>;
}

/** Text of the last message, whether it is a string or a list of blocks. */
function lastText(messages: unknown): string {
  if (typeof messages === 'string') return messages;
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : messages;
  if (typeof last === 'string') return last;
  if (typeof last !== 'object' || last === null) return '';
  const { content, text } = last as { content?: unknown; text?: unknown };
  return typeof text === 'string' ? text : lastText(content);
}
