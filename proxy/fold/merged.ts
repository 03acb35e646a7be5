/**
 * Joins the deltas of one object as all accumulators of Chat Completions do: texts are appended, entries of lists that carry an
 * index are joined by it, other entries are added, objects are joined member by member, anything else is replaced. Beyond them:
 * tool calls that a server counts as one stay apart, and content that is a text in one delta and a list in another stays whole.
 */
import { JsonEnd } from '../translate/messages-on-chat/json-end.ts';
import type { JsonObject, JsonValue } from '../translate/translator.ts';
import { filled, isObject, membersOf } from '../translate/wire/json.ts';

/** Texts that are said again and not continued. */
const SAID_ONCE = new Set(['role', 'id', 'index', 'type', 'name', 'call_id', 'format']);
/** Nobody's deltas nest deeper; a stream made to break us may. */
const MAX_DEPTH = 8;

type Member = JsonValue | MergedObject | MergedList;

export class MergedObject {
  readonly #members = new Map<string, Member>();
  readonly #depth: number;

  constructor(depth = 0) {
    this.#depth = depth;
  }

  add(delta: JsonObject): void {
    for (const [name, value] of Object.entries(delta)) this.#add(name, value);
  }

  /**
   * @param delta the last one that was added
   * @returns names of the texts within it that go on; an empty one for whatever else would show when it is added again
   */
  growth(delta: JsonObject): string[] {
    return Object.entries(delta).flatMap(([name, value]) => {
      const member = this.#members.get(name);
      if (typeof value === 'string') {
        if (value === '') return [];
        // In a list each text is a part of its own, whatever its name.
        if (typeof member !== 'string') return [''];
        return SAID_ONCE.has(name) ? [] : [name];
      }
      if (typeof value !== 'object' || value === null) return [];
      if (member instanceof MergedObject && isObject(value)) return member.growth(value);
      return member instanceof MergedList && Array.isArray(value) ? member.growth(value) : [''];
    });
  }

  /** @returns a member that is a text, and not an empty one */
  text(name: string): string | undefined {
    const member = this.#members.get(name);
    return typeof member === 'string' && member !== '' ? member : undefined;
  }

  /** @param except members that are left out */
  value(except: readonly string[] = []): JsonObject {
    const members = [...this.#members].filter(([name]) => !except.includes(name));
    return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]));
  }

  #add(name: string, value: JsonValue): void {
    const earlier = this.#members.get(name);
    if (value === null) {
      // Null says that there is nothing yet, never that there is nothing any more.
      if (earlier === undefined) this.#members.set(name, null);
    } else if (typeof value === 'string' && earlier instanceof MergedList) earlier.add(textParts(value));
    else if (typeof value === 'string' && typeof earlier === 'string' && !SAID_ONCE.has(name))
      this.#members.set(name, earlier + value);
    else if (value === '' && SAID_ONCE.has(name) && earlier !== undefined) return;
    else if (this.#depth >= MAX_DEPTH) this.#members.set(name, value);
    else this.#nest(name, earlier, value);
  }

  #nest(name: string, earlier: Member | undefined, value: JsonValue): void {
    if (Array.isArray(value)) {
      const list = earlier instanceof MergedList ? earlier : new MergedList(this.#depth + 1);
      if (typeof earlier === 'string') list.add(textParts(earlier));
      list.add(value);
      this.#members.set(name, list);
    } else if (isObject(value)) {
      const object = earlier instanceof MergedObject ? earlier : new MergedObject(this.#depth + 1);
      object.add(value);
      this.#members.set(name, object);
    } else this.#members.set(name, value);
  }
}

/** What Mistral's content lists hold for a text. */
function textParts(text: string): JsonValue[] {
  return text === '' ? [] : [{ type: 'text', text }];
}

class MergedList {
  /** In the order of their beginnings. */
  readonly #indexed: IndexedEntry[] = [];
  /** Of each index the entry that goes on. */
  readonly #open = new Map<number, IndexedEntry>();
  readonly #others: JsonValue[] = [];
  readonly #depth: number;

  constructor(depth: number) {
    this.#depth = depth;
  }

  add(entries: readonly JsonValue[]): void {
    for (const entry of entries) {
      const index = isObject(entry) ? numberOf(entry['index']) : undefined;
      if (isObject(entry) && index !== undefined) this.#at(index, entry).add(entry);
      else this.#others.push(entry);
    }
  }

  /** As of an object. */
  growth(entries: readonly JsonValue[]): string[] {
    return entries.flatMap((entry) => {
      const known = isObject(entry) ? this.#open.get(numberOf(entry['index']) ?? Number.NaN) : undefined;
      return isObject(entry) && known !== undefined ? known.growth(entry) : [''];
    });
  }

  value(): JsonValue {
    const indexed = this.#indexed.toSorted((left, right) => left.index - right.index);
    return [...indexed.map(({ object }) => object.value()), ...this.#others];
  }

  #at(index: number, part: JsonObject): IndexedEntry {
    const known = this.#open.get(index);
    if (known !== undefined && !known.isFollowedBy(part)) return known;
    const entry = new IndexedEntry(index, this.#depth);
    this.#indexed.push(entry);
    this.#open.set(index, entry);
    return entry;
  }
}

class IndexedEntry {
  readonly index: number;
  readonly object: MergedObject;
  readonly #arguments = new JsonEnd();

  constructor(index: number, depth: number) {
    this.index = index;
    this.object = new MergedObject(depth);
  }

  add(part: JsonObject): void {
    this.object.add(part);
    this.#arguments.take(filled(membersOf(part['function'])['arguments']) ?? '');
  }

  growth(part: JsonObject): string[] {
    return filled(membersOf(part['function'])['name']) === undefined ? this.object.growth(part) : [''];
  }

  /** Whether a tool call begins under the index of this one: it names a function again, and has another id or follows whole arguments. */
  isFollowedBy(part: JsonObject): boolean {
    const called = membersOf(part['function']);
    if (filled(called['name']) === undefined) return false;
    const [id, ownId] = [filled(part['id']), this.object.text('id')];
    if (id !== undefined && ownId !== undefined) return id !== ownId;
    return called['arguments'] !== '' && this.#arguments.done;
  }
}

/** Some servers write an index as a text. */
function numberOf(index: JsonValue | undefined): number | undefined {
  const value = typeof index === 'string' && /^\d+$/.test(index) ? Number(index) : index;
  return typeof value === 'number' ? value : undefined;
}

function plain(member: Member): JsonValue {
  return member instanceof MergedObject || member instanceof MergedList ? member.value() : member;
}
