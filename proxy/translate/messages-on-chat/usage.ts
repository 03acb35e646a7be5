/** Token counts: OpenAI's, whose prompt includes what came from the cache or went into it → Anthropic's disjoint ones. */
import type { JsonObject, JsonValue } from '../translator.ts';
import { elementsOf, isObject, membersOf } from '../wire/json.ts';
import type { MessagesUsage } from '../wire/messages.ts';

export const NO_USAGE: MessagesUsage = {
  input_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 0,
};

/**
 * @param answer a whole answer, or one chunk of a stream; Groq reports inside `x_groq` as well, Kimi inside the choice
 * @returns undefined when it carries no counts
 */
export function usageOf(answer: JsonObject): MessagesUsage | undefined {
  const { usage = null } = answer;
  return usageIn(usage ?? membersOf(answer['x_groq'])['usage'] ?? membersOf(elementsOf(answer['choices'])[0])['usage']);
}

function usageIn(usage: JsonValue | undefined): MessagesUsage | undefined {
  return isObject(usage) ? messagesUsage(usage) : undefined;
}

function messagesUsage(usage: JsonObject): MessagesUsage {
  const prompt = count(usage['prompt_tokens']);
  const details = membersOf(usage['prompt_tokens_details']);
  const read = count(
    // DeepSeek counted hits apart before it had details, Kimi does so still, and Anthropic's own names are used by gateways.
    details['cached_tokens'] ??
      usage['prompt_cache_hit_tokens'] ??
      usage['cached_tokens'] ??
      usage['cache_read_input_tokens'],
  );
  const written = count(details['cache_write_tokens'] ?? usage['cache_creation_input_tokens']);
  const reasoning = count(membersOf(usage['completion_tokens_details'])['reasoning_tokens']);
  const cached = Math.min(read, prompt);
  return {
    input_tokens: Math.max(0, prompt - cached - written),
    cache_creation_input_tokens: Math.min(written, prompt - cached),
    cache_read_input_tokens: cached,
    output_tokens: outputTokens(usage, prompt, reasoning),
    ...(reasoning > 0 && { output_tokens_details: { thinking_tokens: reasoning } }),
  };
}

/** xAI counts reasoning beside the completion, OpenAI inside it; the total tells which. */
function outputTokens(usage: JsonObject, prompt: number, reasoning: number): number {
  const completion = count(usage['completion_tokens']);
  const apart = reasoning > 0 && count(usage['total_tokens']) === prompt + completion + reasoning;
  return apart ? completion + reasoning : completion;
}

function count(value: JsonValue | undefined): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : 0;
}
