/** Folds a stream of OpenAI's Responses: its last event holds the answer; one that was cut is put together from its items. */
import type { JsonObject, JsonValue } from '../translate/translator.ts';
import { elementsOf, filled, membersOf } from '../translate/wire/json.ts';
import { eventOf, type Folder } from './folder.ts';

/** Where a delta's text goes: into a member of the item, or of an entry of one of its lists. */
interface Place {
  readonly list?: { readonly name: 'content' | 'summary'; readonly index: string; readonly type: string };
  readonly member: string;
}

const TEXT: Place = { list: { name: 'content', index: 'content_index', type: 'output_text' }, member: 'text' };
const SUMMARY: Place = { list: { name: 'summary', index: 'summary_index', type: 'summary_text' }, member: 'text' };
const PLACES: Readonly<Record<string, Place>> = {
  'response.output_text': TEXT,
  'response.refusal': { list: { name: 'content', index: 'content_index', type: 'refusal' }, member: 'refusal' },
  'response.reasoning_text': {
    list: { name: 'content', index: 'content_index', type: 'reasoning_text' },
    member: 'text',
  },
  'response.reasoning_summary_text': SUMMARY,
  'response.function_call_arguments': { member: 'arguments' },
  'response.mcp_call_arguments': { member: 'arguments' },
  'response.custom_tool_call_input': { member: 'input' },
  'response.code_interpreter_call_code': { member: 'code' },
};

export function foldResponses(): Folder {
  return new ResponsesFolder();
}

class ResponsesFolder implements Folder {
  readonly #items = new Map<number, ItemFolder>();
  #response: JsonObject | undefined;
  #whole = false;

  /** True for `failed` and `incomplete` as well: the answer says so itself, and nothing of it is missing. */
  get whole(): boolean {
    return this.#whole;
  }

  push(data: string | JsonObject): void {
    if (this.#whole) return;
    const event = eventOf(data);
    const type = filled(event?.['type']);
    if (event === undefined || type === undefined) return;
    switch (type) {
      case 'response.created':
      case 'response.queued':
      case 'response.in_progress':
        this.#response = membersOf(event['response']);
        return;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#response = membersOf(event['response']);
        this.#whole = true;
        return;
      case 'response.output_item.added':
      case 'response.output_item.done':
        this.#items.set(index(event, 'output_index'), new ItemFolder(membersOf(event['item'])));
        return;
      default:
        this.#inItem(type, event);
    }
  }

  result(): JsonObject | undefined {
    const response = this.#response;
    if (response === undefined && this.#items.size === 0) return undefined;
    if (elementsOf(response?.['output']).length > 0 || this.#items.size === 0) return { ...response };
    const items = [...this.#items].sort(([left], [right]) => left - right);
    return { object: 'response', ...response, output: items.map(([, item]) => item.result()) };
  }

  #inItem(type: string, event: JsonObject): void {
    const item = this.#items.get(index(event, 'output_index'));
    if (type === 'response.content_part.added' || type === 'response.content_part.done')
      item?.part('content', index(event, 'content_index'), membersOf(event['part']));
    else if (type === 'response.reasoning_summary_part.added' || type === 'response.reasoning_summary_part.done')
      item?.part('summary', index(event, 'summary_index'), membersOf(event['part']));
    else if (type.endsWith('.delta')) item?.grow(PLACES[type.slice(0, -'.delta'.length)], event);
  }
}

class ItemFolder {
  readonly #start: JsonObject;
  readonly #texts = new Map<string, string>();
  readonly #lists = { content: new Map<number, PartFolder>(), summary: new Map<number, PartFolder>() };

  constructor(start: JsonObject) {
    this.#start = start;
    for (const name of ['content', 'summary'] as const)
      for (const [at, part] of elementsOf(start[name]).entries()) this.part(name, at, membersOf(part));
  }

  part(list: 'content' | 'summary', at: number, start: JsonObject): void {
    this.#lists[list].set(at, new PartFolder(start));
  }

  grow(place: Place | undefined, event: JsonObject): void {
    const { delta } = event;
    if (place === undefined || typeof delta !== 'string') return;
    const { list, member } = place;
    if (list === undefined) {
      this.#texts.set(member, (this.#texts.get(member) ?? filled(this.#start[member]) ?? '') + delta);
      return;
    }
    const at = index(event, list.index);
    const parts = this.#lists[list.name];
    const part = parts.get(at) ?? new PartFolder({ type: list.type });
    parts.set(at, part);
    part.grow(member, delta);
  }

  result(): JsonObject {
    const lists = Object.entries(this.#lists).filter(([, parts]) => parts.size > 0);
    return {
      ...this.#start,
      ...Object.fromEntries(this.#texts),
      ...Object.fromEntries(lists.map(([name, parts]) => [name, inOrder(parts)])),
    };
  }
}

class PartFolder {
  readonly #start: JsonObject;
  readonly #texts = new Map<string, string>();

  constructor(start: JsonObject) {
    this.#start = start;
  }

  grow(member: string, text: string): void {
    this.#texts.set(member, (this.#texts.get(member) ?? filled(this.#start[member]) ?? '') + text);
  }

  result(): JsonObject {
    return { ...this.#start, ...Object.fromEntries(this.#texts) };
  }
}

function inOrder(parts: ReadonlyMap<number, PartFolder>): JsonValue {
  return [...parts].sort(([left], [right]) => left - right).map(([, part]) => part.result());
}

/** Streams of one item leave its index out at times. */
function index(event: JsonObject, name: string): number {
  const value = event[name];
  return typeof value === 'number' ? value : 0;
}
