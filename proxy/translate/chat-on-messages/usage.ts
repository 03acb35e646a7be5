/** Token counts: Anthropic's disjoint ones → OpenAI's, whose prompt includes what came from the cache or went into it. */
import type { JsonObject, JsonValue } from '../translator.ts';
import type { ChatUsage } from '../wire/chat.ts';
import { isObject, membersOf } from '../wire/json.ts';

/** Counts of later events over earlier ones, name by name; null says nothing (counts of `message_delta` are cumulative). */
export function laterCounts(earlier: JsonObject, later: JsonValue | undefined): JsonObject {
  if (!isObject(later)) return earlier;
  return { ...earlier, ...Object.fromEntries(Object.entries(later).filter(([, value]) => value !== null)) };
}

/** @param usage of a Messages answer; absent counts are zero */
export function chatUsage(usage: JsonObject): ChatUsage {
  const cacheRead = count(usage['cache_read_input_tokens']);
  const cacheWrite = count(usage['cache_creation_input_tokens']);
  const prompt = count(usage['input_tokens']) + cacheRead + cacheWrite;
  const completion = count(usage['output_tokens']);
  const details = membersOf(usage['output_tokens_details']);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cacheRead, cache_write_tokens: cacheWrite },
    completion_tokens_details: { reasoning_tokens: count(details['thinking_tokens']) },
  };
}

function count(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}
