/**
 * What a Claude model takes, read from its name: later models refuse with a 400 what earlier ones need. Sources: Anthropic's
 * pages on thinking, effort, structured outputs and migration. A name that tells no version gets the oldest form of thinking,
 * which other providers of the Messages API know as well, and everything else.
 */

export interface ModelFacts {
  /** `adaptive`: the model decides, guided by an effort; `budget`: a number of tokens. */
  readonly thinking: 'adaptive' | 'budget';
  /** Thinking can be switched off. */
  readonly thinkingCanEnd: boolean;
  /** Efforts above `high`. */
  readonly efforts: readonly string[];
  /** temperature and top_p are taken. */
  readonly sampling: boolean;
  /** temperature and top_p are taken together. */
  readonly bothSamplings: boolean;
  /** tool_choice may force a call. */
  readonly forcedCalls: boolean;
  /** Output and tool inputs can be held to a schema. */
  readonly schemas: boolean;
}

const UNKNOWN: ModelFacts = {
  thinking: 'budget',
  thinkingCanEnd: true,
  efforts: [],
  sampling: true,
  bothSamplings: true,
  forcedCalls: true,
  schemas: true,
};

/** `claude-opus-4-7`, `anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-3-7-sonnet-20250219`; a date is no version. */
const NAME = /claude-(?:(?<family>[a-z]+)-)?(?<major>\d{1,2})(?:[-.](?<minor>\d{1,2}))?(?!\d)/;

/** @param model name as it is sent to the upstream */
export function modelFacts(model: string | undefined): ModelFacts {
  const groups = NAME.exec(model ?? '')?.groups;
  if (groups === undefined) return UNKNOWN;
  const version = Number(groups['major']) + Number(groups['minor'] ?? 0) / 100;
  const family = groups['family'];
  // Fable thinks always; the others do from 5.5 on, except for the smallest.
  const alwaysThinks = family === 'fable' ? version >= 5 : version >= 5.05 && family !== 'haiku';
  return {
    thinking: version >= 4.06 ? 'adaptive' : 'budget',
    thinkingCanEnd: !alwaysThinks,
    efforts: version >= 4.07 ? ['xhigh', 'max'] : version >= 4.06 ? ['max'] : [],
    sampling: version < 4.07,
    bothSamplings: version < 4.01,
    forcedCalls: !(alwaysThinks && version > 5),
    schemas: version >= 4.05 || (version >= 4.01 && family === 'opus'),
  };
}
