/** Takes the loop's own progress out of JSON: of requests, as the model must not read it as something that it said, and of recorded answers. */
import { stripProgress } from '#contract/progress.ts';
import { type Json, membersOf } from './tool.ts';

/**
 * A request, or an answer put together from its stream, without progress, wherever it stands: in blocks of its own, in joined strings, in
 * thinking. The same object when there is none.
 */
export function withoutProgress(body: Json): Json {
  return strip(body) as Json;
}

function strip(value: unknown): unknown {
  if (typeof value === 'string') return stripProgress(value);
  if (Array.isArray(value)) return stripList(value);
  if (typeof value !== 'object' || value === null) return value;
  let changed = false;
  const members = Object.entries(value).map(([name, member]) => {
    const stripped = strip(member);
    changed ||= stripped !== member;
    return [name, stripped] as const;
  });
  return changed ? Object.fromEntries(members) : value;
}

/** Blocks and messages that held nothing but progress are gone: providers refuse empty ones, and unsigned thinking. */
function stripList(list: readonly unknown[]): readonly unknown[] {
  let changed = false;
  const kept = list.flatMap((item) => {
    const stripped = strip(item);
    changed ||= stripped !== item;
    return stripped !== item && isEmpty(stripped) ? [] : [stripped];
  });
  return changed ? kept : list;
}

function isEmpty(value: unknown): boolean {
  const { type, text, thinking, role, content, tool_calls: calls, reasoning_content: reasoning } = membersOf(value);
  if (type === 'text') return text === '';
  if (type === 'thinking') return thinking === '';
  if (role !== 'assistant' || calls !== undefined || reasoning !== undefined) return false;
  return content === '' || (Array.isArray(content) && content.length === 0);
}
