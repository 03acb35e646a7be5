/** A scripted turn as the Messages API sends it. */
import type { ScriptedCall, ScriptedTurn } from './scripted-model.ts';

const USAGE = { input_tokens: 10, cache_creation_input_tokens: 1, cache_read_input_tokens: 2 };

function textOf({ args = {}, argumentsText }: ScriptedCall): string {
  return argumentsText ?? JSON.stringify(args);
}

function blocks({ thinking, text, calls = [] }: ScriptedTurn, turn: number): Record<string, unknown>[] {
  return [
    ...(thinking === undefined ? [] : [{ type: 'thinking', thinking, signature: `signature-${turn}` }]),
    ...(text === undefined ? [] : [{ type: 'text', text }]),
    ...calls.map(({ name, args = {} }, index) => ({
      type: 'tool_use',
      id: `toolu_${turn}_${index}`,
      name,
      input: args,
    })),
  ];
}

function ending({ stop, calls = [] }: ScriptedTurn): { stop_reason: string; stop_sequence: null } {
  return { stop_reason: stop ?? (calls.length > 0 ? 'tool_use' : 'end_turn'), stop_sequence: null };
}

export function messageWhole(turn: ScriptedTurn, index: number): unknown {
  return {
    id: `msg_${index}`,
    type: 'message',
    role: 'assistant',
    model: 'scripted',
    content: blocks(turn, index),
    ...ending(turn),
    usage: { ...USAGE, output_tokens: 5 },
  };
}

export function messageEvents(turn: ScriptedTurn, index: number): string[] {
  const message = {
    id: `msg_${index}`,
    type: 'message',
    role: 'assistant',
    model: 'scripted',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...USAGE, output_tokens: 1 },
  };
  const calls = turn.calls ?? [];
  const data: Record<string, unknown>[] = [{ type: 'message_start', message }, { type: 'ping' }];
  let firstCall: number | undefined;
  for (const [at, block] of blocks(turn, index).entries()) {
    if (block['type'] === 'tool_use') firstCall ??= at;
    data.push(...blockEvents(block, at, textOf(calls[at - (firstCall ?? 0)] ?? { name: '' })));
  }
  data.push({ type: 'message_delta', delta: ending(turn), usage: { output_tokens: 5 } }, { type: 'message_stop' });
  return data.map((event) => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`);
}

/** Content in two halves each, so that deltas have to be put together. */
function blockEvents(block: Record<string, unknown>, index: number, json: string): Record<string, unknown>[] {
  const empty: Record<string, object> = {
    text: { type: 'text', text: '' },
    thinking: { type: 'thinking', thinking: '', signature: '' },
    tool_use: { ...block, input: {} },
  };
  const deltas =
    block['type'] === 'text'
      ? halves(String(block['text'])).map((text) => ({ type: 'text_delta', text }))
      : block['type'] === 'thinking'
        ? [
            ...halves(String(block['thinking'])).map((thinking) => ({ type: 'thinking_delta', thinking })),
            { type: 'signature_delta', signature: block['signature'] },
          ]
        : halves(json).map((partial) => ({ type: 'input_json_delta', partial_json: partial }));
  return [
    { type: 'content_block_start', index, content_block: empty[String(block['type'])] },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ];
}

export function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}
