/** One turn of Chat Completions, put together from its chunks: text, calls, how it stopped. */
import type { FinishedTurn, IsOurs } from '../dialect.ts';
import { type Json, listOf, membersOf, type ToolCall } from '../tool.ts';

/** Reasons for which a turn is over as the model meant it; many servers say `stop` where they call tools. */
const SETTLED: ReadonlySet<unknown> = new Set(['tool_calls', 'stop', 'function_call', null, undefined]);
/** Thinking as servers name it; some want it back with the results of the tools that it led to. */
export const THINKING_FIELDS = ['reasoning_content', 'reasoning', 'reasoning_details'] as const;

/** A call while its fragments arrive. */
export interface CallParts {
  readonly entry: Record<string, unknown>;
  name: string;
  argumentsText: string;
  /** Number in the client's answer; undefined: not shown, or its name is not known yet. */
  shownAt: number | undefined;
}

export class ChatTurn {
  readonly #isOurs: IsOurs;
  readonly #calls = new Map<unknown, CallParts>();
  readonly #texts: Record<string, string> = {};
  finishReason: unknown;
  usage: Json | undefined;
  whole = false;
  /** The client's own calls in the old form. */
  functionCall = false;

  constructor(isOurs: IsOurs) {
    this.#isOurs = isOurs;
  }

  get text(): string {
    return this.#texts['content'] ?? '';
  }

  addText(delta: Json): void {
    for (const name of ['content', ...THINKING_FIELDS]) {
      const text = delta[name];
      if (typeof text === 'string') this.#texts[name] = (this.#texts[name] ?? '') + text;
    }
  }

  addCall(fragment: Json): CallParts {
    const key = fragment['index'] ?? this.#calls.size;
    const parts = this.#calls.get(key) ?? { entry: {}, name: '', argumentsText: '', shownAt: undefined };
    this.#calls.set(key, parts);
    for (const name of ['id', 'type']) if (typeof fragment[name] === 'string') parts.entry[name] = fragment[name];
    const called = membersOf(fragment['function'] ?? fragment['custom']);
    if (fragment['custom'] !== undefined) parts.entry['type'] = 'custom';
    if (typeof called['name'] === 'string') parts.name ||= called['name'];
    const text = called['arguments'] ?? called['input'];
    if (typeof text === 'string') parts.argumentsText += text;
    return parts;
  }

  finish(): FinishedTurn {
    const calls = [...this.#calls.values()].map(({ entry, name, argumentsText }) => {
      const called =
        entry['type'] === 'custom'
          ? { custom: { name, input: argumentsText } }
          : { function: { name, arguments: argumentsText } };
      return { type: 'function', ...entry, ...called };
    });
    const message = { role: 'assistant', ...this.#texts, ...(calls.length > 0 && { tool_calls: calls }) };
    const turn = finishTurn(message, this.finishReason, this.usage, this.#isOurs);
    return this.functionCall ? { ...turn, clientCalls: turn.clientCalls + 1 } : turn;
  }
}

/** @param message the assistant's, as the model gave it */
export function finishTurn(
  message: Json,
  finishReason: unknown,
  usage: Json | undefined,
  isOurs: IsOurs,
): FinishedTurn {
  const entries = listOf(message['tool_calls']).map(membersOf);
  const calls: ToolCall[] = [];
  let clientCalls = message['function_call'] ? 1 : 0;
  for (const { id, function: called, type } of entries) {
    const { name, arguments: argumentsText } = membersOf(called);
    if (type !== 'custom' && isOurs(String(name))) {
      calls.push({
        id: String(id),
        name: String(name),
        argumentsText: typeof argumentsText === 'string' ? argumentsText : '',
      });
    } else clientCalls += 1;
  }
  const { content, refusal: _refusal, annotations: _annotations, audio: _audio, ...rest } = message;
  const sent = { ...rest, content: content === '' || content === undefined ? null : content };
  const next = entries.length > 0 ? { ...sent, tool_calls: entries.map(withReadableArguments) } : sent;
  return { calls, clientCalls, settled: SETTLED.has(finishReason), message: next, usage };
}

/** Some servers parse the arguments of earlier calls and refuse the whole request when they cannot. */
function withReadableArguments(entry: Json): Json {
  const called = membersOf(entry['function']);
  if (entry['function'] === undefined) return entry;
  try {
    JSON.parse(String(called['arguments']));
    return entry;
  } catch {
    return { ...entry, function: { ...called, arguments: '{}' } };
  }
}
