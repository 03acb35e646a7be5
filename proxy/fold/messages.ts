/** Folds a stream of Anthropic's Messages. */
import type { JsonObject, JsonValue } from '../translate/translator.ts';
import { elementsOf, filled, isObject, membersOf } from '../translate/wire/json.ts';
import { eventOf, type GrowingFolder } from './folder.ts';
import { parsePartialJson } from './partial-json.ts';

/** @param parseInput of a tool's arguments, which may be cut */
export function foldMessages(parseInput = parsePartialJson): GrowingFolder {
  return new MessagesFolder(parseInput);
}

class MessagesFolder implements GrowingFolder {
  readonly #blocks = new Map<JsonValue | undefined, BlockFolder>();
  readonly #message = new Map<string, JsonValue>();
  readonly #usage = new Map<string, JsonValue>();
  readonly #parseInput: typeof parsePartialJson;
  #begun = false;
  #ended = false;
  #failed = false;

  constructor(parseInput: typeof parsePartialJson) {
    this.#parseInput = parseInput;
  }

  get whole(): boolean {
    return this.#begun && this.#ended && !this.#failed;
  }

  push(data: string | JsonObject): void {
    if (this.#ended) return;
    const event = eventOf(data);
    if (event === undefined) {
      this.#failed = true;
      return;
    }
    const index = event['index'];
    switch (event['type']) {
      case 'message_start':
        this.#start(membersOf(event['message']));
        return;
      case 'content_block_start':
        if (!this.#blocks.has(index)) this.#blocks.set(index, new BlockFolder(membersOf(event['content_block'])));
        return;
      case 'content_block_delta':
        this.#blocks.get(index)?.add(membersOf(event['delta']));
        return;
      case 'message_delta':
        this.#delta(event);
        return;
      case 'message_stop':
        this.#ended = true;
        return;
      case 'error':
        this.#failed = true;
        return;
      default:
    }
  }

  result(): JsonObject | undefined {
    if (!this.#begun) return undefined;
    return {
      ...Object.fromEntries(this.#message),
      // While code of the API's own calls the client's tools, each call is a message that is whole at its beginning.
      content: [
        ...elementsOf(this.#message.get('content')),
        ...this.#blocks.values().map((block) => block.result(this.#parseInput)),
      ],
      ...(this.#usage.size > 0 && { usage: Object.fromEntries(this.#usage) }),
    };
  }

  growing({ type, index, delta }: JsonObject): string | undefined {
    return type === 'content_block_delta' ? this.#blocks.get(index)?.growing(membersOf(delta)) : undefined;
  }

  #start(message: JsonObject): void {
    if (this.#begun) return;
    this.#begun = true;
    for (const [name, value] of Object.entries(message)) this.#message.set(name, value);
    for (const [name, value] of Object.entries(membersOf(message['usage']))) this.#usage.set(name, value);
  }

  /** Counts are cumulative, and null says nothing, here as among the reasons. */
  #delta({ type: _type, delta, usage, ...others }: JsonObject): void {
    for (const [name, value] of Object.entries({ ...others, ...membersOf(delta) }))
      if (value !== null) this.#message.set(name, value);
    for (const [name, value] of Object.entries(membersOf(usage))) if (value !== null) this.#usage.set(name, value);
  }
}

class BlockFolder {
  readonly #start: JsonObject;
  /** Texts that grew, by the block's member. */
  readonly #texts = new Map<string, string>();
  readonly #citations: JsonValue[] = [];
  #input = '';

  constructor(start: JsonObject) {
    this.#start = start;
  }

  add(delta: JsonObject): void {
    switch (delta['type']) {
      case 'input_json_delta':
        this.#input += filled(delta['partial_json']) ?? '';
        return;
      case 'citations_delta':
        this.#citations.push(delta['citation'] ?? null);
        return;
      case 'signature_delta':
        // Comes once, and whole.
        this.#texts.set('signature', filled(delta['signature']) ?? '');
        return;
      // Text, thinking, and what the API may add: the delta's members are the block's.
      case `${filled(this.#start['type'])}_delta`:
        for (const [name, value] of Object.entries(delta))
          if (name !== 'type' && typeof value === 'string') this.#grow(name, value);
        return;
      default:
    }
  }

  growing(delta: JsonObject): string | undefined {
    if (delta['type'] === 'input_json_delta') return filled(delta['partial_json']) && 'partial_json';
    if (delta['type'] !== `${filled(this.#start['type'])}_delta`) return undefined;
    const [name, ...others] = Object.keys(delta).filter((each) => each !== 'type' && filled(delta[each]));
    return others.length === 0 ? name : undefined;
  }

  result(parseInput: typeof parsePartialJson): JsonObject {
    const input = this.#input === '' ? undefined : (parseInput(this.#input) ?? {});
    const { citations } = this.#start;
    const earlier = Array.isArray(citations) ? citations : [];
    return {
      ...this.#start,
      ...Object.fromEntries(this.#texts),
      ...(this.#citations.length > 0 && { citations: [...earlier, ...this.#citations] }),
      ...(isObject(input) && { input }),
    };
  }

  #grow(name: string, text: string): void {
    const earlier = this.#texts.get(name) ?? filled(this.#start[name]) ?? '';
    this.#texts.set(name, earlier + text);
  }
}
