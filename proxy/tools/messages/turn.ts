/** One turn of the Messages API, put together from its events: blocks, usage, how it stopped. */
import { laterReport } from '../add-usage.ts';
import type { FinishedTurn, IsOurs } from '../dialect.ts';
import { type Json, membersOf, type ToolCall } from '../tool.ts';

/** Reasons for which a turn is over as the model meant it; after any other one its calls may be half ones. */
const SETTLED: ReadonlySet<unknown> = new Set(['tool_use', 'end_turn', 'stop_sequence', null, undefined]);

export interface Block {
  /** Index in the client's answer; undefined: the client does not see it. */
  readonly shownAt: number | undefined;
  readonly content: Record<string, unknown>;
  /** Fragments of a call's input. */
  json: string;
}

export class MessagesTurn {
  readonly #isOurs: IsOurs;
  readonly #blocks = new Map<unknown, Block>();
  delta: Json = {};
  usage: Json | undefined;
  whole = false;

  constructor(isOurs: IsOurs) {
    this.#isOurs = isOurs;
  }

  start(index: unknown, content: Json, shownAt: number | undefined): void {
    this.#blocks.set(index, { shownAt, content: { ...content }, json: '' });
  }

  /** @throws Error when there is no such block */
  block(index: unknown): Block {
    const block = this.#blocks.get(index);
    if (!block) throw new Error('An event names a content block that was not started');
    return block;
  }

  add(index: unknown, delta: Json): Block {
    const block = this.block(index);
    const { content } = block;
    const append = (name: string, text: unknown): void => {
      content[name] = `${typeof content[name] === 'string' ? content[name] : ''}${String(text)}`;
    };
    switch (delta['type']) {
      case 'text_delta':
        append('text', delta['text']);
        break;
      case 'thinking_delta':
        append('thinking', delta['thinking']);
        break;
      case 'signature_delta':
        append('signature', delta['signature']);
        break;
      case 'input_json_delta':
        block.json += String(delta['partial_json']);
        break;
      case 'citations_delta':
        content['citations'] = [...((content['citations'] as unknown[] | null | undefined) ?? []), delta['citation']];
        break;
      default:
    }
    return block;
  }

  stopped(event: Json): void {
    this.delta = { ...this.delta, ...membersOf(event['delta']) };
    this.usage = laterReport(this.usage, event['usage']);
  }

  finish(): FinishedTurn {
    const content = [...this.#blocks.values()].map(({ content: block, json }) => withInput(block, json));
    const argumentTexts = [...this.#blocks.values()].map(({ json }) => json);
    return finishTurn(content, this.delta['stop_reason'], this.usage, this.#isOurs, argumentTexts);
  }
}

/** @param argumentTexts of each block, as the model wrote them; absent: the blocks' own inputs */
export function finishTurn(
  content: readonly Json[],
  stopReason: unknown,
  usage: Json | undefined,
  isOurs: IsOurs,
  argumentTexts?: readonly string[],
): FinishedTurn {
  const calls: ToolCall[] = [];
  let clientCalls = 0;
  for (const [index, { type, id, name, input }] of content.entries()) {
    if (type !== 'tool_use') continue;
    const argumentsText = argumentTexts?.[index] || JSON.stringify(input ?? {});
    if (isOurs(String(name))) calls.push({ id: String(id), name: String(name), argumentsText });
    else clientCalls += 1;
  }
  // Empty text is sent by some models before a call, and refused by the API when it comes back.
  const kept = content.filter(({ type, text }) => type !== 'text' || text !== '');
  const message = { role: 'assistant', content: kept };
  return { calls, clientCalls, settled: SETTLED.has(stopReason), message, usage };
}

function withInput(block: Json, json: string): Json {
  if (json === '') return block;
  try {
    return { ...block, input: membersOf(JSON.parse(json)) };
  } catch {
    // The call itself is answered with an error; the API takes objects only.
    return { ...block, input: {} };
  }
}
