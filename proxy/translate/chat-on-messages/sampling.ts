/** How the model picks its words and when it stops: temperature, top_p, stop sequences, the most tokens. */
import type { JsonObject, TranslationContext } from '../translator.ts';
import { badField, given, isList, numberAt, textAt } from './field.ts';
import { lose } from './loss.ts';
import type { ModelFacts } from './model.ts';

/** @returns how many tokens may come at most; the API requires it, and the client may have said it under either name */
export function maxTokensOf(body: JsonObject, context: TranslationContext): number {
  const field = given(body, 'max_completion_tokens') === undefined ? 'max_tokens' : 'max_completion_tokens';
  const asked = given(body, field);
  return asked === undefined ? context.defaultMaxTokens : numberAt(asked, field);
}

/**
 * @param thinks the model thinks, which excludes all three
 * @returns the members `temperature`, `top_p` and `top_k`
 */
export function samplingOf(
  body: JsonObject,
  model: ModelFacts,
  thinks: boolean,
  context: TranslationContext,
): JsonObject {
  const temperature = number(body, 'temperature');
  const topP = number(body, 'top_p');
  // Not of OpenAI's API, but servers that follow it take it, and so do their clients.
  const topK = number(body, 'top_k');
  const taken = model.sampling && !thinks;
  const single = temperature !== undefined && !model.bothSamplings;
  // A value of 1 is what the model does anyway.
  if (temperature !== undefined && (taken ? temperature > 1 : temperature !== 1))
    lose(context, 'temperature', 'temperature');
  if (topP !== undefined && topP !== 1 && (!taken || single)) lose(context, 'top_p', 'top_p');
  if (topK !== undefined && !taken) lose(context, 'top_k', 'top_k');
  if (!taken) return {};
  return {
    ...(temperature !== undefined && { temperature: Math.min(temperature, 1) }),
    ...(topP !== undefined && !single && { top_p: topP }),
    ...(topK !== undefined && { top_k: topK }),
  };
}

/** @returns the member `stop_sequences`; sequences of blanks, which the API refuses, are lost */
export function stopOf(body: JsonObject, context: TranslationContext): JsonObject {
  const stop = given(body, 'stop');
  if (stop === undefined) return {};
  const list = isList(stop) ? stop : [stop];
  const texts = list.map((text, index) => textAt(text, isList(stop) ? `stop[${index}]` : 'stop'));
  const sequences = texts.filter((text) => text.trim() !== '');
  if (sequences.length < texts.length) lose(context, 'stop', 'stop');
  return sequences.length === 0 ? {} : { stop_sequences: sequences };
}

function number(body: JsonObject, field: string): number | undefined {
  const value = given(body, field);
  if (value === undefined) return undefined;
  const read = numberAt(value, field);
  if (read < 0) throw badField(field, 'a number of at least 0 is needed here');
  return read;
}
