/** Tells the tool calls of a stream apart: by index as OpenAI does it, by id where the index is missing or always the same. */
import type { Passage } from '../quick-path.ts';
import type { JsonObject, JsonValue } from '../translator.ts';
import { elementsOf, filled, isObject, membersOf } from '../wire/json.ts';
import type { Blocks, ToolLane } from './blocks.ts';

export class ToolCalls {
  readonly #blocks: Blocks;
  readonly #clientName: (name: string) => string;
  /** By a number; some servers write it as a text. */
  readonly #byIndex = new Map<JsonValue, ToolLane>();
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

  /** How more arguments of the call leave that is named by its index alone; undefined where more becomes of them than one delta. */
  passage(index: number): Passage | undefined {
    const lane = this.#byIndex.get(index);
    return lane === undefined || lane !== this.#last ? undefined : this.#blocks.passage(lane);
  }

  #call(call: JsonObject): void {
    const id = idOf(call);
    const called = membersOf(call['function']);
    this.#grow(this.#lane(call['index'] ?? undefined, id, called), id, called);
  }

  #lane(index: JsonValue | undefined, id: string | undefined, called: JsonObject): ToolLane {
    const known = this.#known(index, id);
    const lane = known === undefined || this.#isAnother(known, id, called) ? this.#blocks.addCall() : known;
    if (index !== undefined) this.#byIndex.set(index, lane);
    if (id !== undefined) this.#byId.set(id, lane);
    this.#last = lane;
    return lane;
  }

  #known(index: JsonValue | undefined, id: string | undefined): ToolLane | undefined {
    if (index !== undefined) return this.#byIndex.get(index);
    return id === undefined ? this.#last : this.#byId.get(id);
  }

  /**
   * Whether a fragment begins another call than the one its place points to: some servers count every call as 0, or give neither
   * index nor id. A new id alone says nothing, as others make a new one for each fragment; nor does the same name again, unless
   * arguments come with it although those of the call are whole.
   */
  #isAnother(known: ToolLane, id: string | undefined, called: JsonObject): boolean {
    const name = filled(called['name']);
    if (name === undefined || known.name === '') return false;
    if (id !== undefined) return known.id !== '' && known.id !== id;
    return this.#clientName(name) !== known.name || (known.json.done && argumentsText(called['arguments']) !== '');
  }

  #grow(lane: ToolLane, id: string | undefined, called: JsonObject): void {
    if (lane.id === '' && !lane.open) lane.id = id ?? '';
    if (lane.name === '') lane.name = this.#clientName(filled(called['name']) ?? '');
    this.#blocks.callGrew(lane, argumentsText(called['arguments']));
  }
}

/** @returns a call's id; undefined for one without. Mistral's clients fill a missing one with the text "null". */
export function idOf(call: JsonObject): string | undefined {
  const id = filled(call['id']);
  return id === 'null' ? undefined : id;
}

/** Arguments are text; servers that send them as an object mean its JSON. */
export function argumentsText(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  return isObject(value) ? JSON.stringify(value) : '';
}
