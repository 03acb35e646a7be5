/** Results of tools in a user's message → messages of the role `tool`, and the images for which these have no place. */
import type { JsonObject, TranslationContext } from '../translator.ts';
import { filled, requireString } from '../wire/json.ts';
import { callId } from './call-id.ts';
import { blocksAt, type ChatPart, joinedTexts, type PlacedBlock, partsOf, remarkMarks, textPart } from './content.ts';

export interface ToolResult {
  readonly message: JsonObject;
  /** Parts that follow in a user's message, each set behind a text that names the call. */
  readonly attachments: readonly ChatPart[];
}

/** @param placed block of type tool_result */
export function toolResult({ block, path }: PlacedBlock, context: TranslationContext): ToolResult {
  remarkMarks(block, context);
  const id = callId(requireString(block['tool_use_id'], `${path}.tool_use_id`), context.flavor);
  const content = block['content'] === undefined || block['content'] === null ? '' : block['content'];
  const parts = blocksAt(content, `${path}.content`).flatMap((part) => resultParts(part, context));
  const texts = parts.filter((part) => part.type === 'text');
  const others = parts.filter((part) => part.type !== 'text');
  const note = others.length > 0 ? [textPart(`(${others.length} attached below)`)] : [];
  const failed = block['is_error'] === true;
  const text = asError(joinedTexts([...texts, ...note]), failed);
  return {
    message: { role: 'tool', tool_call_id: id, content: text },
    attachments: others.length > 0 ? [textPart(`Attached to the result of the tool call ${id}:`), ...others] : [],
  };
}

/** References to tools mean nothing to an upstream that has them all. */
function resultParts(part: PlacedBlock, context: TranslationContext): ChatPart[] {
  if (part.block['type'] === 'tool_reference') return [textPart(filled(part.block['tool_name']) ?? '')];
  return partsOf(part, context);
}

/** Chat has no field for a tool's failure; models know it by its first word. */
function asError(text: string, failed: boolean): string {
  if (!failed || /^\s*error\b/i.test(text)) return text;
  return text === '' ? 'Error' : `Error: ${text}`;
}
