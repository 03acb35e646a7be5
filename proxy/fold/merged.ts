/**
 * Joins the deltas of one object as all accumulators of Chat Completions do: texts are appended, entries of lists that carry an
 * index are joined by it, other entries are added, objects are joined member by member, anything else is replaced.
 */
import type { JsonObject, JsonValue } from '../translate/translator.ts';
import { isObject } from '../translate/wire/json.ts';

/** Texts that are said again and not continued. */
const SAID_ONCE = new Set(['role', 'id', 'type', 'name', 'call_id']);
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
    } else if (typeof value === 'string' && typeof earlier === 'string' && !SAID_ONCE.has(name))
      this.#members.set(name, earlier + value);
    else if (value === '' && SAID_ONCE.has(name) && earlier !== undefined) return;
    else if (this.#depth >= MAX_DEPTH) this.#members.set(name, value);
    else this.#nest(name, earlier, value);
  }

  #nest(name: string, earlier: Member | undefined, value: JsonValue): void {
    if (Array.isArray(value)) {
      const list = earlier instanceof MergedList ? earlier : new MergedList(this.#depth + 1);
      list.add(value);
      this.#members.set(name, list);
    } else if (isObject(value)) {
      const object = earlier instanceof MergedObject ? earlier : new MergedObject(this.#depth + 1);
      object.add(value);
      this.#members.set(name, object);
    } else this.#members.set(name, value);
  }
}

class MergedList {
  readonly #indexed = new Map<number, MergedObject>();
  readonly #others: JsonValue[] = [];
  readonly #depth: number;

  constructor(depth: number) {
    this.#depth = depth;
  }

  add(entries: readonly JsonValue[]): void {
    for (const entry of entries) {
      const index = isObject(entry) ? entry['index'] : undefined;
      if (isObject(entry) && typeof index === 'number') this.#at(index).add(entry);
      else this.#others.push(entry);
    }
  }

  value(): JsonValue {
    const indexed = [...this.#indexed].sort(([left], [right]) => left - right);
    return [...indexed.map(([, object]) => object.value()), ...this.#others];
  }

  #at(index: number): MergedObject {
    const known = this.#indexed.get(index) ?? new MergedObject(this.#depth);
    this.#indexed.set(index, known);
    return known;
  }
}

function plain(member: Member): JsonValue {
  return member instanceof MergedObject || member instanceof MergedList ? member.value() : member;
}
