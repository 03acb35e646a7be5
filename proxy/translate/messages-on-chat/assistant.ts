/** An assistant's turn in a request → one Chat message, or none: its text, its tool calls, its reasoning where there is a place for it. */
import type { JsonObject, TranslationContext } from '../translator.ts';
import { filled, requireName, requireObject, requireString } from '../wire/json.ts';
import { callId } from './call-id.ts';
import { type PlacedBlock, partsOf, remarkMarks } from './content.ts';
import { functionName } from './function-names.ts';
import { lose, remark } from './loss.ts';

interface Turn {
  text: string;
  reasoning: string;
  readonly calls: JsonObject[];
}

/**
 * @returns nothing for a turn of which nothing is left: several servers refuse an assistant that says nothing
 * @throws ProxyError bad_request that names the field which cannot be read or carried
 */
export function assistantMessages(blocks: readonly PlacedBlock[], context: TranslationContext): JsonObject[] {
  const turn: Turn = { text: '', reasoning: '', calls: [] };
  for (const placed of blocks) addBlock(turn, placed, context);
  const { text, reasoning, calls } = turn;
  if (text === '' && reasoning === '' && calls.length === 0) return [];
  const field = context.flavor.reasoningInRequests;
  return [
    {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      ...(field !== undefined && reasoning !== '' && { [field]: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
  ];
}

function addBlock(turn: Turn, placed: PlacedBlock, context: TranslationContext): void {
  const { block, path } = placed;
  switch (block['type']) {
    case 'tool_use':
      remarkMarks(block, context);
      turn.calls.push({
        ...toolCall(block, path, context),
        ...(turn.calls.length === 0 && context.flavor.firstCallExtra),
      });
      break;
    case 'thinking':
      addThinking(turn, block, context);
      break;
    case 'redacted_thinking':
      remark(context, 'redacted_thinking');
      break;
    default:
      addProse(turn, placed, context);
  }
}

/** Signatures are another provider's seal on its own text: none is sent, whoever made it. */
function addThinking(turn: Turn, block: JsonObject, context: TranslationContext): void {
  if (context.flavor.reasoningInRequests === undefined) remark(context, 'thinking');
  else turn.reasoning += filled(block['thinking']) ?? '';
}

function addProse(turn: Turn, placed: PlacedBlock, context: TranslationContext): void {
  for (const part of partsOf(placed, context)) {
    if (part.type === 'text') {
      if (turn.calls.length > 0) remark(context, 'block_order');
      turn.text += part.text;
    } else lose(context, 'unknown_block', placed.path, 'leave it out, an assistant says only text here');
  }
}

function toolCall(block: JsonObject, path: string, context: TranslationContext): JsonObject {
  const id = callId(requireString(block['id'], `${path}.id`), context.flavor);
  const name = functionName(requireName(block['name'], `${path}.name`), context.flavor);
  const input = block['input'] === undefined ? {} : requireObject(block['input'], `${path}.input`);
  return { id, type: 'function', function: { name, arguments: JSON.stringify(input) } };
}
