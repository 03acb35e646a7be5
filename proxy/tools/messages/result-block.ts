/** A tool's result as the Messages API takes it. */
import type { Json } from '../tool.ts';

/** @param content blocks; none: the tool said nothing */
export function resultBlock(id: string, content: readonly Json[], isError: boolean): Json {
  return {
    type: 'tool_result',
    tool_use_id: id,
    ...(content.length > 0 && { content }),
    ...(isError && { is_error: true }),
  };
}
