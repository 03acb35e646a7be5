/** Tells the tool calls of a stream apart: by index as OpenAI does it, by id where the index is missing or always the same. */
import type { JsonObject, JsonValue } from '../translator.ts';
import { elementsOf, filled, isObject, membersOf } from '../wire/json.ts';
import type { Blocks, ToolLane } from './blocks.ts';

export class ToolCalls {
  readonly #blocks: Blocks;
  readonly #clientName: (name: string) => string;
  readonly #byIndex = new Map<number, ToolLane>();
  readonly #byId = new Map<string, ToolLane>();
  #last: ToolLane | undefined;
  #legacy: ToolLane | undefined;

  /** @param clientName finds the name that the client knows a function by */
  constructor(blocks: Blocks, clientName: (name: string) => string) {
    this.#blocks = blocks;
    this.#clientName = clientName;
  }

  /** @param delta of a choice, with any of `tool_calls` and the old `function_call` */
  delta(delta: JsonObject): void {
    for (const call of elementsOf(delta['tool_calls'])) if (isObject(call)) this.#call(call);
    const legacy = delta['function_call'];
    if (isObject(legacy)) {
      this.#legacy ??= this.#blocks.addCall();
      this.#grow(this.#legacy, undefined, legacy);
    }
  }

  #call(call: JsonObject): void {
    const id = filled(call['id']);
    const called = membersOf(call['function']);
    this.#grow(this.#lane(call['index'], id, filled(called['name'])), id, called);
  }

  #lane(index: JsonValue | undefined, id: string | undefined, name: string | undefined): ToolLane {
    const known = this.#known(index, id);
    const lane = known === undefined || isAnother(known, id, name) ? this.#blocks.addCall() : known;
    if (typeof index === 'number') this.#byIndex.set(index, lane);
    if (id !== undefined) this.#byId.set(id, lane);
    this.#last = lane;
    return lane;
  }

  #known(index: JsonValue | undefined, id: string | undefined): ToolLane | undefined {
    if (typeof index === 'number') return this.#byIndex.get(index);
    return id === undefined ? this.#last : this.#byId.get(id);
  }

  #grow(lane: ToolLane, id: string | undefined, called: JsonObject): void {
    if (lane.id === '' && !lane.open) lane.id = id ?? '';
    if (lane.name === '') lane.name = this.#clientName(filled(called['name']) ?? '');
    this.#blocks.callGrew(lane, argumentsText(called['arguments']));
  }
}

/**
 * Whether a fragment begins another call than the one its place points to: some servers count every call as 0, or give neither
 * index nor id. A new id alone says nothing, as others make a new one for each fragment.
 */
function isAnother(known: ToolLane, id: string | undefined, name: string | undefined): boolean {
  if (name === undefined || known.name === '') return false;
  return id === undefined ? known.json.done : known.id !== '' && known.id !== id;
}

/** Arguments are text; servers that send them as an object mean its JSON. */
export function argumentsText(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  return isObject(value) ? JSON.stringify(value) : '';
}
