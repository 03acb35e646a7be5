/** A scripted turn as Chat Completions sends it. */
import { halves } from './messages-wire.ts';
import type { ScriptedCall, ScriptedTurn } from './scripted-model.ts';

const USAGE = {
  prompt_tokens: 13,
  completion_tokens: 5,
  total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 2 },
};

function head(index: number): object {
  return { id: `chatcmpl-${index}`, created: 1_767_225_600, model: 'scripted' };
}

function textOf({ args = {}, argumentsText }: ScriptedCall): string {
  return argumentsText ?? JSON.stringify(args);
}

function finish({ stop, calls = [] }: ScriptedTurn): string {
  return stop ?? (calls.length > 0 ? 'tool_calls' : 'stop');
}

export function chatWhole(turn: ScriptedTurn, index: number): unknown {
  const calls = (turn.calls ?? []).map((call, at) => ({
    id: `call_${index}_${at}`,
    type: 'function',
    function: { name: call.name, arguments: textOf(call) },
  }));
  const message = {
    role: 'assistant',
    content: turn.text ?? null,
    refusal: null,
    ...(turn.thinking !== undefined && { reasoning_content: turn.thinking }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  return {
    ...head(index),
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: finish(turn) }],
    usage: USAGE,
  };
}

export function chatChunks(turn: ScriptedTurn, index: number, body: object): string[] {
  const chunk = (delta: object, reason: string | null = null): object => ({
    ...head(index),
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
  });
  const { stream_options: options } = body as { stream_options?: { include_usage?: boolean } };
  const chunks = [
    chunk({ role: 'assistant', content: '' }),
    ...(turn.thinking === undefined ? [] : halves(turn.thinking).map((text) => chunk({ reasoning_content: text }))),
    ...(turn.text === undefined ? [] : halves(turn.text).map((content) => chunk({ content }))),
    ...(turn.calls ?? []).flatMap((call, at) => callDeltas(call, index, at).map((delta) => chunk(delta))),
    chunk({}, finish(turn)),
    ...(options?.include_usage ? [{ ...head(index), object: 'chat.completion.chunk', choices: [], usage: USAGE }] : []),
  ];
  return [...chunks.map((one) => `data: ${JSON.stringify(one)}\n\n`), 'data: [DONE]\n\n'];
}

function callDeltas(call: ScriptedCall, turn: number, index: number): object[] {
  const [first = '', second = ''] = halves(textOf(call));
  const opening = { id: `call_${turn}_${index}`, type: 'function', function: { name: call.name, arguments: '' } };
  return [
    { tool_calls: [{ index, ...opening }] },
    { tool_calls: [{ index, function: { arguments: first } }] },
    { tool_calls: [{ index, function: { arguments: second } }] },
  ];
}
