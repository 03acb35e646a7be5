/**
 * Token counts of an answer in one form for every dialect. Providers report cumulative counts, in several places, with
 * nulls: per field the last value that is a number wins, and nothing is ever added up.
 */

/** Disjoint counts: input, output, cacheRead and cacheWrite together are everything billed. Absent: the answer did not say. */
export interface Usage {
  /** Read by the model and neither taken from a cache nor written to one. */
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly cacheReadTokens?: number;
  readonly cacheWriteTokens?: number;
  /** The part of cacheWriteTokens that lives for an hour, which costs more. */
  readonly cacheWrite1hTokens?: number;
  /** The part of outputTokens that was spent on reasoning. */
  readonly reasoningTokens?: number;
}

/** Usage of the Messages API: `input_tokens` excludes what came from or went to the cache. */
export function anthropicUsage(value: unknown): Usage {
  const usage = objectOf(value);
  return defined({
    inputTokens: count(usage['input_tokens']),
    outputTokens: count(usage['output_tokens']),
    cacheReadTokens: count(usage['cache_read_input_tokens']),
    cacheWriteTokens: count(usage['cache_creation_input_tokens']),
    cacheWrite1hTokens: count(objectOf(usage['cache_creation'])['ephemeral_1h_input_tokens']),
    reasoningTokens: count(objectOf(usage['output_tokens_details'])['thinking_tokens']),
  });
}

/** Usage of Chat Completions, Embeddings and Responses: the input includes what came from the cache, which is taken out here. */
export function openaiUsage(value: unknown): Usage {
  const usage = objectOf(value);
  const input = count(usage['prompt_tokens']) ?? count(usage['input_tokens']);
  const inputDetails = objectOf(usage['prompt_tokens_details'] ?? usage['input_tokens_details']);
  const outputDetails = objectOf(usage['completion_tokens_details'] ?? usage['output_tokens_details']);
  const cached = count(inputDetails['cached_tokens']);
  const written = count(inputDetails['cache_write_tokens']);
  return defined({
    inputTokens: input === undefined ? undefined : Math.max(0, input - (cached ?? 0) - (written ?? 0)),
    outputTokens: count(usage['completion_tokens']) ?? count(usage['output_tokens']),
    cacheReadTokens: cached,
    cacheWriteTokens: written,
    reasoningTokens: count(outputDetails['reasoning_tokens']),
  });
}

/** Later counts over earlier ones, field by field. */
export function laterUsage(earlier: Usage | undefined, later: Usage): Usage | undefined {
  if (Object.keys(later).length === 0) return earlier;
  return earlier === undefined ? later : { ...earlier, ...later };
}

/** A JSON object's members, or none when the value is something else. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** A count of tokens: a whole number that is not negative and small enough to be one. */
function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1e12 ? value : undefined;
}

function defined(usage: { readonly [Key in keyof Usage]: number | undefined }): Usage {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== undefined));
}
