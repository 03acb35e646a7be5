/** One event of a streamed answer → the pieces of growing texts in it, each with the name of the text that it continues. */
import { type JsonNode, memberOf } from './json-tree.ts';
import type { Span } from './span.ts';
import type { Piece } from './view.ts';

/** A text that events tell piece by piece, or an object that holds such texts. */
export class GrowingText {
  /** In the order of their events, in the source. */
  readonly pieces: Piece[] = [];
  readonly #parts = new Map<string, GrowingText>();

  /** One part of an object or list, the same one each time. */
  part(name: string): GrowingText {
    const known = this.#parts.get(name) ?? new GrowingText();
    this.#parts.set(name, known);
    return known;
  }

  /** Itself and all within. */
  *all(): Generator<GrowingText> {
    yield this;
    for (const part of this.#parts.values()) yield* part.all();
  }
}

export interface Fragment {
  /** The text that the piece continues. */
  readonly text: GrowingText;
  readonly piece: Piece;
}

/** Members of a delta that are said once and not continued. */
const WHOLE_MEMBERS: ReadonlySet<string> = new Set([
  'type',
  'role',
  'id',
  'call_id',
  'name',
  'format',
  'signature',
  'citation',
  'annotations',
]);
/** Of Messages and Responses: beside the event's type and index. `content_block` may bring the beginning of what deltas continue. */
const EVENT_MEMBERS = ['delta', 'content_block'];
/** Lists of answers that are told side by side, and what grows in each: Chat Completions, the older Completions, Gemini. */
const ANSWER_LISTS = [
  { list: 'choices', members: ['delta', 'text'] },
  { list: 'candidates', members: ['content'] },
] as const;

/**
 * @param event tree of the event's data
 * @param name what the event is called where its data does not say so
 * @param answer what all events of one answer continue
 */
export function fragmentsOf(event: JsonNode, data: string, name: string | undefined, answer: GrowingText): Fragment[] {
  const collector = new Collector(data);
  const own = answer.part(kinOf(event, data) ?? name ?? '').part(indexesOf(event, data));
  for (const member of EVENT_MEMBERS) collector.growing(memberOf(event, member), own);
  collector.tokens(memberOf(event, 'logprobs'), own.part('logprobs'));
  for (const { list, members } of ANSWER_LISTS) {
    const items = memberOf(event, list);
    for (const [position, item] of items?.kind === 'list' ? items.items.entries() : []) {
      const one = answer.part(list).part(indexesOf(item, data, position));
      for (const member of members) collector.growing(memberOf(item, member), one.part(member));
      collector.tokens(memberOf(item, 'logprobs'), one.part('logprobs'));
    }
  }
  return collector.fragments;
}

/** What a block's opening and its deltas have in common: `content_block` of `content_block_delta`. */
function kinOf(event: JsonNode, data: string): string | undefined {
  const type = memberOf(event, 'type');
  return type?.kind === 'string' ? data.slice(type.start, type.end).replace(/[._-](?:delta|start)$/, '') : undefined;
}

/** Which one of several an object continues; streams leave zeros out at times. */
function indexesOf(node: JsonNode, data: string, position = 0): string {
  if (node.kind !== 'object') return '';
  const indexes = node.members.flatMap(([name, value]) =>
    (name === 'index' || name.endsWith('_index')) && value.kind === 'other'
      ? [`${name}=${data.slice(value.start, value.end)}`]
      : [],
  );
  if (indexes.length === 0 && position > 0) return `index=${position}`;
  return indexes
    .filter((index) => !index.endsWith('=0'))
    .sort()
    .join(' ');
}

class Collector {
  readonly fragments: Fragment[] = [];
  readonly #data: string;

  constructor(data: string) {
    this.#data = data;
  }

  /** Every text of the node. @param text what it continues */
  growing(node: JsonNode | undefined, text: GrowingText): void {
    switch (node?.kind) {
      case 'string':
        this.#add(text, node);
        return;
      case 'object':
        for (const [name, value] of node.members) if (!WHOLE_MEMBERS.has(name)) this.growing(value, text.part(name));
        return;
      case 'list':
        for (const [position, item] of node.items.entries())
          this.growing(item, text.part(indexesOf(item, this.#data, position)));
        return;
      default:
    }
  }

  /** Tokens with their probabilities repeat the text, each also as bytes and among its likeliest rivals. */
  tokens(node: JsonNode | undefined, text: GrowingText): void {
    if (node?.kind === 'object') for (const [name, value] of node.members) this.tokens(value, text.part(name));
    if (node?.kind !== 'list') return;
    for (const item of node.items) {
      const token = memberOf(item, 'token');
      if (token?.kind !== 'string') continue;
      const echoes = ['bytes', 'top_logprobs'].flatMap((name) => emptied(memberOf(item, name)));
      this.#add(text, { start: token.start, end: token.end, echoes });
    }
  }

  #add(text: GrowingText, piece: Piece): void {
    if (piece.end > piece.start) this.fragments.push({ text, piece });
  }
}

function emptied(node: JsonNode | undefined): Span[] {
  return node?.kind === 'list' && node.items.length > 0 ? [{ start: node.start, end: node.end, put: '[]' }] : [];
}
