/** How much the model reasons: an effort that the client asks for → the model's thinking. */
import type { JsonObject, TranslationContext } from '../translator.ts';
import { isObject } from '../wire/json.ts';
import { given, textOf } from './field.ts';
import { lose } from './loss.ts';
import type { ModelFacts } from './model.ts';

/** Tokens of thinking for an effort, for models that take a number. */
const BUDGETS: Readonly<Record<string, number>> = {
  minimal: 1024,
  low: 4096,
  medium: 10_240,
  high: 24_576,
  xhigh: 32_768,
  max: 32_768,
};
/** The API's minimum. */
const LEAST_BUDGET = 1024;

/** What of the request decides whether and how the model thinks. */
export interface ThinkingFacts {
  readonly model: ModelFacts;
  readonly maxTokens: number;
  /** The request forces a tool call, which excludes thinking. */
  readonly forced: boolean;
  /** The turn under way has tool calls and came back without the thinking that led to them. */
  readonly unsigned: boolean;
}

/** @returns the members `thinking` and `output_config.effort` of a Messages request */
export function thinkingOf(
  body: JsonObject,
  { model, maxTokens, forced, unsigned }: ThinkingFacts,
  context: TranslationContext,
): { readonly thinking?: JsonObject; readonly effort?: string } {
  // Anthropic's own compatibility layer takes `thinking` as it is; so do we.
  const own = given(body, 'thinking');
  if (isObject(own)) return { thinking: own };
  const effort = textOf(given(body, 'reasoning_effort'));
  if (effort === undefined) return {};
  const loseEffort = (): void => lose(context, 'reasoning_effort', 'reasoning_effort');
  if (effort === 'none') {
    if (model.thinkingCanEnd) return { thinking: { type: 'disabled' } };
    loseEffort();
    return { effort: 'low' };
  }
  if (BUDGETS[effort] === undefined || forced) {
    loseEffort();
    return {};
  }
  if (model.thinking === 'adaptive')
    return { thinking: { type: 'adaptive', display: 'summarized' }, effort: nearestEffort(effort, model) };
  const budget = Math.min(BUDGETS[effort], Math.floor(maxTokens / 2));
  if (budget < LEAST_BUDGET || unsigned) {
    loseEffort();
    return {};
  }
  return { thinking: { type: 'enabled', budget_tokens: budget } };
}

function nearestEffort(effort: string, { efforts }: ModelFacts): string {
  if (effort === 'minimal') return 'low';
  if (effort === 'low' || effort === 'medium' || efforts.includes(effort)) return effort;
  return 'high';
}
