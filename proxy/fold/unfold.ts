/** A whole answer → the event stream that would have told it, for clients that asked an upstream for one and got none. */
import type { JsonObject, JsonValue } from '../translate/translator.ts';
import { elementsOf, membersOf } from '../translate/wire/json.ts';

/** @param form of the answer; @returns server-sent events, ended as the form ends them */
export function unfold(form: 'messages' | 'chat', answer: JsonObject): Buffer {
  const events = form === 'messages' ? messageEvents(answer) : chatEvents(answer);
  return Buffer.from(events.join(''));
}

function chatEvents({ choices, usage, ...head }: JsonObject): string[] {
  const deltas = elementsOf(choices).map((given) => {
    const { message, ...choice } = membersOf(given);
    const { tool_calls: calls, ...said } = membersOf(message);
    const indexed = elementsOf(calls).map((call, index) => ({ index, ...membersOf(call) }));
    return { ...choice, delta: { ...said, ...(indexed.length > 0 && { tool_calls: indexed }) } };
  });
  const chunk = { ...head, object: 'chat.completion.chunk' };
  return [
    data({ ...chunk, choices: deltas }),
    ...(usage === undefined ? [] : [data({ ...chunk, choices: [], usage })]),
    'data: [DONE]\n\n',
  ];
}

function messageEvents({
  content,
  stop_reason = null,
  stop_sequence = null,
  stop_details,
  usage = {},
  ...head
}: JsonObject): string[] {
  const details = stop_details === undefined ? {} : { stop_details };
  const start = { ...head, content: [], stop_reason: null, stop_sequence: null, usage };
  return [
    event({ type: 'message_start', message: start }),
    ...elementsOf(content).flatMap((block, index) => blockEvents(membersOf(block), index)),
    event({ type: 'message_delta', delta: { stop_reason, stop_sequence, ...details }, usage }),
    event({ type: 'message_stop' }),
  ];
}

function blockEvents(block: JsonObject, index: number): string[] {
  const { opened, deltas } = parts(block);
  return [
    event({ type: 'content_block_start', index, content_block: opened }),
    ...deltas.map((delta) => event({ type: 'content_block_delta', index, delta })),
    event({ type: 'content_block_stop', index }),
  ];
}

/** Kinds of blocks that a stream does not tell by deltas are whole in their start. */
function parts(block: JsonObject): { opened: JsonObject; deltas: JsonObject[] } {
  switch (block['type']) {
    case 'text':
      return { opened: { ...block, text: '' }, deltas: [{ type: 'text_delta', text: block['text'] ?? '' }] };
    case 'thinking':
      return {
        opened: { ...block, thinking: '', signature: '' },
        deltas: [
          { type: 'thinking_delta', thinking: block['thinking'] ?? '' },
          { type: 'signature_delta', signature: block['signature'] ?? '' },
        ],
      };
    case 'tool_use':
      return {
        opened: { ...block, input: {} },
        deltas: [{ type: 'input_json_delta', partial_json: JSON.stringify(block['input'] ?? {}) }],
      };
    default:
      return { opened: block, deltas: [] };
  }
}

function data(value: JsonValue): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function event(value: JsonObject & { readonly type: string }): string {
  return `event: ${value.type}\n${data(value)}`;
}
