/**
 * The content blocks of a stream: what of them becomes a delta, and when. Text, reasoning and tool arguments leave fragment by
 * fragment; what belongs together (a signed thinking block, citations) leaves once, when it is whole.
 */
import type { Frame, Passage, Piece } from '../quick-path.ts';
import { PROBE } from '../stencil.ts';
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { elementsOf, filled, isObject } from '../wire/json.ts';
import { loseBlock } from './answer.ts';
import { annotationsOf } from './citations.ts';
import { type Place, returnable } from './thinking-blocks.ts';

type Block =
  | { readonly kind: 'text'; readonly from: number; readonly citations: JsonValue[] }
  | {
      readonly kind: 'thinking';
      thinking: string;
      signature: string;
      readonly data: JsonValue | undefined;
      readonly after: Place;
    }
  | { readonly kind: 'call'; readonly index: number; readonly input: JsonObject; begun: boolean }
  | { readonly kind: 'none' };

/** Text may come inside any block. */
type Growing = { readonly kind: 'text' } | (Block & { readonly kind: 'thinking' | 'call' });

const TEXT: Growing = { kind: 'text' };

export class StreamBlocks {
  readonly #emit: (delta: JsonObject) => void;
  readonly #functions: boolean;
  readonly #context: TranslationContext;
  readonly #open = new Map<JsonValue | undefined, Block>();
  readonly #annotations: JsonObject[] = [];
  #calls = 0;
  #thinking = 0;
  #textLength = 0;
  /** How more of one block leaves, once it was asked for. */
  #passage: { readonly block: Block; readonly passage: Passage | undefined } | undefined;

  /** @param functions the client waits for calls in the form before tools */
  constructor(emit: (delta: JsonObject) => void, functions: boolean, context: TranslationContext) {
    this.#emit = emit;
    this.#functions = functions;
    this.#context = context;
  }

  /** Tool calls begun so far. */
  get calls(): number {
    return this.#calls;
  }

  start(index: JsonValue | undefined, block: JsonObject): void {
    switch (block['type']) {
      case 'text':
        this.#open.set(index, { kind: 'text', from: this.#textLength, citations: [...elementsOf(block['citations'])] });
        this.#grow(TEXT, block['text']);
        return;
      case 'thinking':
      case 'redacted_thinking': {
        const { thinking, signature, data } = block;
        const after = { characters: this.#textLength, calls: this.#calls };
        this.#open.set(index, { kind: 'thinking', thinking: '', signature: filled(signature) ?? '', data, after });
        this.delta(index, { type: 'thinking_delta', thinking: thinking ?? '' });
        return;
      }
      case 'tool_use':
        this.#call(index, block);
        return;
      default:
        this.#open.set(index, { kind: 'none' });
        loseBlock(block['type'], this.#context);
    }
  }

  delta(index: JsonValue | undefined, delta: JsonObject): void {
    const block = this.#open.get(index);
    switch (delta['type']) {
      case 'text_delta':
        if (block === undefined) this.start(index, { type: 'text', text: '' });
        if (block?.kind !== 'none') this.#grow(TEXT, delta['text']);
        return;
      case 'citations_delta':
        if (block?.kind === 'text') block.citations.push(delta['citation'] ?? null);
        return;
      case 'thinking_delta':
        if (block?.kind === 'thinking') this.#grow(block, delta['thinking']);
        return;
      case 'signature_delta':
        if (block?.kind === 'thinking') block.signature = filled(delta['signature']) ?? '';
        return;
      case 'input_json_delta':
        if (block?.kind === 'call') this.#grow(block, delta['partial_json']);
        return;
      // What the API may add.
      default:
    }
  }

  /**
   * How a piece leaves that is one delta and nothing else.
   * @param frame of a chunk that carries a delta. @returns undefined where the piece begins a block, or is of another kind than it
   */
  passage({ kind, index }: Piece, frame: (delta: JsonObject) => Frame | undefined): Passage | undefined {
    const block = this.#open.get(index);
    if (block === undefined || block.kind === 'none' || block.kind !== kind) return undefined;
    if (this.#passage?.block !== block) {
      const around = frame(this.#deltaOf(block, PROBE));
      const take = (text: string): true => this.#note(block, text);
      this.#passage = { block, passage: around && { frame: around, take } };
    }
    return this.#passage.passage;
  }

  stop(index: JsonValue | undefined): void {
    const block = this.#open.get(index);
    this.#open.delete(index);
    switch (block?.kind) {
      case 'text':
        this.#annotations.push(...annotationsOf(block.citations, block.from, this.#textLength, this.#context));
        return;
      case 'thinking':
        this.#signed(block);
        return;
      case 'call':
        // Clients parse the arguments: a call without any has an empty object.
        if (!block.begun) this.#grow(block, JSON.stringify(block.input));
        return;
      case 'none':
      case undefined:
    }
  }

  /** The message is over. */
  finish(): void {
    for (const index of this.#open.keys()) this.stop(index);
    // In one delta: accumulators of SDKs cannot join two lists of these.
    if (this.#annotations.length > 0) this.#emit({ annotations: this.#annotations });
  }

  #grow(block: Growing, value: JsonValue | undefined): void {
    const text = filled(value);
    if (text === undefined) return;
    this.#note(block, text);
    this.#emit(this.#deltaOf(block, text));
  }

  /** @param text not empty */
  #note(block: Growing, text: string): true {
    if (block.kind === 'text') this.#textLength += text.length;
    else if (block.kind === 'thinking') block.thinking += text;
    else block.begun = true;
    return true;
  }

  #deltaOf(block: Growing, text: string): JsonObject {
    if (block.kind === 'text') return { content: text };
    if (block.kind === 'thinking') return { reasoning_content: text };
    if (this.#functions) return { function_call: { arguments: text } };
    return { tool_calls: [{ index: block.index, function: { arguments: text } }] };
  }

  #signed({ thinking, signature, data, after }: Block & { kind: 'thinking' }): void {
    const whole = data === undefined ? { type: 'thinking', thinking, signature } : { type: 'redacted_thinking', data };
    const blocks = returnable(whole, this.#thinking, after);
    this.#thinking += blocks.length;
    if (blocks.length > 0) this.#emit({ thinking_blocks: blocks });
  }

  #call(at: JsonValue | undefined, { id, name, input }: JsonObject): void {
    const index = this.#calls++;
    this.#open.set(at, { kind: 'call', index, input: isObject(input) ? input : {}, begun: false });
    const called = { name: filled(name) ?? '', arguments: '' };
    if (this.#functions) this.#emit({ function_call: called });
    else
      this.#emit({
        tool_calls: [{ index, id: filled(id) ?? `call_${index}`, type: 'function', function: called }],
      });
  }
}
