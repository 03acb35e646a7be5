/**
 * Content of an answer as it grows → Anthropic's content blocks, which come one after the other. Each piece of text,
 * reasoning or tool call is a lane. The first lane streams; later ones gather until it is closed, so that tool calls whose
 * fragments arrive interleaved lose nothing, and the ordinary case (one after the other) never waits.
 */
import { frameOf, type Passage } from '../quick-path.ts';
import { PROBE } from '../stencil.ts';
import type { BlockDelta, ContentBlock, MessagesEvent } from '../wire/messages.ts';
import { UNSIGNED } from '../wire/messages.ts';
import { JsonEnd } from './json-end.ts';

interface ProseLane {
  readonly kind: 'text' | 'thinking';
  pending: string;
  open: boolean;
}

/** Characters of `null` and blanks around it; models that lose their way write blanks without end. */
const MOST_OF_NOTHING = 32;

/** One tool call; made by whoever tells the calls apart. */
export class ToolLane {
  readonly kind = 'tool';
  readonly json = new JsonEnd();
  id = '';
  name = '';
  pending = '';
  open = false;
  closed = false;
  /** Arguments were passed on. */
  flows = false;

  /** Servers write `null` for no arguments; none are passed on while there may be nothing else. */
  get saysNothing(): boolean {
    return !this.flows && this.pending.length < MOST_OF_NOTHING && 'null'.startsWith(this.pending.trim());
  }

  /** Takes arguments that certainly do not end the call. @returns false: nothing was taken */
  takes(fragment: string): boolean {
    if (this.json.done || /[\]}]/.test(fragment)) return false;
    this.json.take(fragment);
    return true;
  }
}

type Lane = ProseLane | ToolLane;

export interface BlocksOptions {
  readonly emit: (event: MessagesEvent) => void;
  /** For calls that come without an id of their own. */
  readonly freshCallId: () => string;
  /** An upstream sent more for a tool call than its arguments. */
  readonly onExcess: () => void;
}

export class Blocks {
  readonly #options: BlocksOptions;
  readonly #lanes: Lane[] = [];
  #index = 0;
  #heldChars = 0;
  #calls = 0;
  /** How more of the lane that streams leaves, once it was asked for. */
  #passage: { readonly lane: Lane; readonly passage: Passage | undefined } | undefined;

  constructor(options: BlocksOptions) {
    this.#options = options;
  }

  /** What waits for an earlier lane. */
  get heldChars(): number {
    return this.#heldChars;
  }

  /** Tool calls whose block was begun. */
  get calls(): number {
    return this.#calls;
  }

  /** More text or reasoning: of the block that was last, or of a new one. */
  prose(kind: 'text' | 'thinking', text: string): void {
    if (text === '') return;
    const last = this.#lanes.at(-1);
    if (last?.kind === kind) last.pending += text;
    else this.#lanes.push({ kind, pending: text, open: false });
    this.#heldChars += text.length;
    this.#drain(false);
  }

  /**
   * How a piece leaves that is one delta and nothing else.
   * @param of the call, or the kind of text. @returns undefined where it opens or closes a block, or has to wait
   */
  passage(of: ToolLane | ProseLane['kind']): Passage | undefined {
    const lane = this.#lanes[0];
    if (lane === undefined || this.#lanes.length > 1 || !lane.open || lane.pending !== '') return undefined;
    if (lane.kind === 'tool' ? lane !== of || !lane.flows : lane.kind !== of) return undefined;
    if (this.#passage?.lane !== lane) this.#passage = { lane, passage: passageOf(lane, this.#index) };
    return this.#passage.passage;
  }

  addCall(): ToolLane {
    const lane = new ToolLane();
    this.#lanes.push(lane);
    return lane;
  }

  /** More arguments of a call; also called without any when its id or name became known. */
  callGrew(lane: ToolLane, fragment: string): void {
    const taken = lane.json.take(fragment);
    if (fragment.slice(taken).trim() !== '') this.#options.onExcess();
    if (lane.closed) return;
    lane.pending += fragment.slice(0, taken);
    this.#heldChars += taken;
    this.#drain(false);
  }

  /**
   * The answer is over: everything that waits leaves, in order.
   * @param cut a limit ended the answer, so its last call may be half
   * @returns false when a call is broken: it has no name, or half its arguments; its block stays open
   */
  finish(cut: boolean): boolean {
    const calls = this.#lanes.filter((lane) => lane.kind === 'tool');
    if (calls.some((lane) => lane.name === '' || (lane.json.halfway && !cut))) return false;
    this.#drain(true);
    return true;
  }

  #drain(finishing: boolean): void {
    for (let head = this.#lanes[0]; head !== undefined; head = this.#lanes[0]) {
      if (!head.open && !this.#start(head, finishing)) return;
      this.#flush(head);
      const mayClose = head.kind !== 'tool' || head.json.done;
      if (!finishing && (this.#lanes.length === 1 || !mayClose)) return;
      this.#stop(head);
      this.#lanes.shift();
    }
  }

  /** @returns false when it cannot be started yet: the name is missing, or the id may come with the next fragment */
  #start(lane: Lane, finishing: boolean): boolean {
    if (lane.kind === 'tool') {
      if (lane.name === '') return false;
      if (lane.id === '') {
        if (lane.pending === '' && !finishing) return false;
        lane.id = this.#options.freshCallId();
      }
      this.#calls++;
    }
    lane.open = true;
    this.#options.emit({ type: 'content_block_start', index: this.#index, content_block: emptyBlock(lane) });
    return true;
  }

  #flush(lane: Lane): void {
    if (lane.pending === '') return;
    if (lane.kind === 'tool') {
      if (lane.saysNothing) return;
      lane.flows = true;
    }
    this.#delta(deltaOf(lane.kind, lane.pending));
    this.#heldChars -= lane.pending.length;
    lane.pending = '';
  }

  #stop(lane: Lane): void {
    if (lane.kind === 'thinking') this.#delta({ type: 'signature_delta', signature: UNSIGNED });
    if (lane.kind === 'tool') lane.closed = true;
    this.#heldChars -= lane.pending.length;
    this.#options.emit({ type: 'content_block_stop', index: this.#index });
    this.#index++;
  }

  #delta(delta: BlockDelta): void {
    this.#options.emit(deltaEvent(this.#index, delta));
  }
}

function deltaEvent(index: number, delta: BlockDelta): MessagesEvent {
  return { type: 'content_block_delta', index, delta };
}

function passageOf(lane: Lane, index: number): Passage | undefined {
  const event = deltaEvent(index, deltaOf(lane.kind, PROBE));
  const frame = frameOf(event.type, event);
  return frame && { frame, take: lane.kind === 'tool' ? (text) => lane.takes(text) : undefined };
}

function emptyBlock(lane: Lane): ContentBlock {
  switch (lane.kind) {
    case 'text':
      return { type: 'text', text: '' };
    case 'thinking':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'tool':
      return { type: 'tool_use', id: lane.id, name: lane.name, input: {} };
  }
}

function deltaOf(kind: Lane['kind'], text: string): BlockDelta {
  switch (kind) {
    case 'text':
      return { type: 'text_delta', text };
    case 'thinking':
      return { type: 'thinking_delta', thinking: text };
    case 'tool':
      return { type: 'input_json_delta', partial_json: text };
  }
}
