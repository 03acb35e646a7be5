/**
 * The model's turns as one message of the Messages API: one message_start and one message_stop, blocks numbered without a gap,
 * calls of our tools left out, usage added up.
 */
import { addUsage, laterReport } from '../add-usage.ts';
import { type FinishedTurn, type LoopStream, type LoopStreamOptions, type SseEvent, sseText } from '../dialect.ts';
import { type Json, membersOf, type ToolCall, type ToolResult } from '../tool.ts';
import { shownCall, shownResult } from './shown-calls.ts';
import { MessagesTurn } from './turn.ts';

export class MessagesStream implements LoopStream {
  readonly #options: LoopStreamOptions;
  #turn: MessagesTurn;
  #turns = 0;
  #nextIndex = 0;
  #begun = false;
  #usage: Json | undefined;
  #lastDelta: Json = {};
  /** The end of the turn, as it came. */
  #ending = '';
  failed = false;

  constructor(options: LoopStreamOptions) {
    this.#options = options;
    this.#turn = new MessagesTurn(options.isOurs);
  }

  event({ name, data }: SseEvent): string {
    const event = membersOf(JSON.parse(data));
    const type = typeof event['type'] === 'string' ? event['type'] : name;
    const raw = sseText(data, name === '' ? type : name);
    switch (type) {
      case 'message_start':
        return this.#start(event, raw);
      case 'content_block_start':
        return this.#startBlock(event, raw);
      case 'content_block_delta':
        return this.#renumbered(event, raw, this.#turn.add(event['index'], membersOf(event['delta'])).shownAt);
      case 'content_block_stop':
        return this.#renumbered(event, raw, this.#turn.block(event['index']).shownAt);
      case 'message_delta':
        this.#turn.stopped(event);
        this.#ending += raw;
        return '';
      case 'message_stop':
        this.#turn.whole = true;
        this.#ending += raw;
        return '';
      case 'error':
        this.failed = true;
        return raw;
      default:
        return this.#begun ? raw : '';
    }
  }

  endTurn(): FinishedTurn | undefined {
    if (!this.#turn.whole) return undefined;
    const finished = this.#turn.finish();
    this.#turns += 1;
    this.#usage = addUsage(this.#usage, this.#turn.usage);
    this.#lastDelta = this.#turn.delta;
    this.#turn = new MessagesTurn(this.#options.isOurs);
    return finished;
  }

  calls(calls: readonly ToolCall[]): string {
    return calls.map((call) => this.#wholeBlock(shownCall(call))).join('');
  }

  results(calls: readonly ToolCall[], results: readonly ToolResult[]): string {
    return calls.map((call, index) => this.#wholeBlock(shownResult(call, results[index] ?? NOTHING))).join('');
  }

  progress(text: string): string {
    const { progress } = this.#options;
    if (progress === 'none') return '';
    const index = this.#nextIndex++;
    const block = progress === 'text' ? { type: 'text', text: '' } : { type: 'thinking', thinking: '', signature: '' };
    const delta = progress === 'text' ? { type: 'text_delta', text } : { type: 'thinking_delta', thinking: text };
    return [
      event({ type: 'content_block_start', index, content_block: block }),
      event({ type: 'content_block_delta', index, delta }),
      event({ type: 'content_block_stop', index }),
    ].join('');
  }

  /** One turn ends as it came; several with one count. */
  finish(): string {
    if (this.#turns === 1) return this.#ending;
    const delta = event({ type: 'message_delta', delta: this.#lastDelta, usage: this.#usage ?? { output_tokens: 0 } });
    return delta + event({ type: 'message_stop' });
  }

  #wholeBlock(block: Json): string {
    const index = this.#nextIndex++;
    const start = event({ type: 'content_block_start', index, content_block: block });
    return start + event({ type: 'content_block_stop', index });
  }

  #start(event: Json, raw: string): string {
    this.#ending = '';
    this.#turn.usage = laterReport(undefined, membersOf(event['message'])['usage']);
    if (this.#begun) return '';
    this.#begun = true;
    return this.#options.opening === '' ? raw : raw + this.progress(this.#options.opening);
  }

  #startBlock(event: Json, raw: string): string {
    const block = membersOf(event['content_block']);
    const hidden = block['type'] === 'tool_use' && this.#options.isOurs(String(block['name']));
    const shownAt = hidden ? undefined : this.#nextIndex++;
    this.#turn.start(event['index'], block, shownAt);
    return this.#renumbered(event, raw, shownAt);
  }

  #renumbered(event: Json, raw: string, shownAt: number | undefined): string {
    if (shownAt === undefined) return '';
    if (shownAt === event['index']) return raw;
    return sseText(JSON.stringify({ ...event, index: shownAt }), String(event['type']));
  }
}

const NOTHING: ToolResult = { content: [], isError: true };

function event(data: Json): string {
  return sseText(JSON.stringify(data), String(data['type']));
}
