/** The model's turns as one completion: one id, one role, calls of our tools left out, one finish_reason, usage added up. */
import { addUsage } from '../add-usage.ts';
import { type FinishedTurn, type LoopStream, type LoopStreamOptions, type SseEvent, sseText } from '../dialect.ts';
import { type Json, listOf, membersOf } from '../tool.ts';
import { type CallParts, ChatTurn } from './turn.ts';

/** What all chunks of one completion have in common. */
const HEAD_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'object',
  'created',
  'model',
  'service_tier',
  'system_fingerprint',
]);

export class ChatStream implements LoopStream {
  readonly #options: LoopStreamOptions;
  /** Whether the client asked for usage; without that it expects no such chunk. */
  readonly #showsUsage: boolean;
  #turn: ChatTurn;
  /** id, model and what else every chunk repeats, as the first one had it. */
  #head: Json | undefined;
  #usage: Json | undefined;
  #finishReason: unknown;
  #shownCalls = 0;
  /** Text that the client has, of earlier turns: the next one's begins a paragraph of its own. */
  #paragraph = '';
  failed = false;

  constructor(options: LoopStreamOptions) {
    this.#options = options;
    this.#showsUsage = membersOf(options.body['stream_options'])['include_usage'] === true;
    this.#turn = new ChatTurn(options.isOurs);
  }

  event({ name, data }: SseEvent): string {
    if (data === '[DONE]') {
      this.#turn.whole = true;
      return '';
    }
    const chunk = membersOf(JSON.parse(data));
    if (name === 'error' || (chunk['error'] !== undefined && chunk['error'] !== null)) {
      this.failed = true;
      return sseText(data, name);
    }
    if (chunk['usage'] !== undefined && chunk['usage'] !== null) this.#turn.usage = membersOf(chunk['usage']);
    const choices = listOf(chunk['choices']);
    // Such as the filter results of a prompt, which some servers send first.
    if (choices.length === 0 && !chunk['usage']) return sseText(JSON.stringify({ ...chunk, ...this.#head }));
    return choices.map((choice) => this.#choice(chunk, membersOf(choice))).join('');
  }

  endTurn(): FinishedTurn | undefined {
    const turn = this.#turn;
    if (!turn.whole) return undefined;
    this.#usage = addUsage(this.#usage, turn.usage);
    this.#finishReason = turn.finishReason ?? 'stop';
    if (turn.text !== '') this.#paragraph = /\s$/.test(turn.text) ? ' ' : turn.text.slice(-1);
    this.#turn = new ChatTurn(this.#options.isOurs);
    return turn.finish();
  }

  /** A call without a tool message behind it would make the client's next request one that is refused. */
  calls(): string {
    return '';
  }

  results(): string {
    return '';
  }

  progress(text: string): string {
    const { progress } = this.#options;
    if (progress === 'none') return '';
    return this.#chunk(progress === 'text' ? { content: text } : { reasoning_content: text });
  }

  finish(): string {
    const usage = { ...this.#head, choices: [], usage: this.#usage };
    return [
      this.#chunk({}, this.#finishReason),
      this.#showsUsage && this.#usage !== undefined ? sseText(JSON.stringify(usage)) : '',
      sseText('[DONE]'),
    ].join('');
  }

  #choice(chunk: Json, choice: Json): string {
    const delta = membersOf(choice['delta']);
    const opening = this.#open(chunk);
    if (choice['finish_reason'] !== null && choice['finish_reason'] !== undefined) {
      this.#turn.finishReason = choice['finish_reason'];
      this.#turn.whole = true;
    }
    const shown = this.#shown(delta);
    if (Object.keys(shown).length === 0) return opening;
    const { delta: _delta, finish_reason: _finish, index: _index, ...rest } = choice;
    const { choices: _choices, usage: _usage, ...own } = chunk;
    return opening + this.#chunk(shown, null, rest, own);
  }

  /** Role first, in a chunk of its own, so that progress can follow before any content. */
  #open(chunk: Json): string {
    if (this.#head !== undefined) return '';
    this.#head = Object.fromEntries(Object.entries(chunk).filter(([name]) => HEAD_FIELDS.has(name)));
    const role = this.#chunk({ role: 'assistant', content: '' });
    return this.#options.opening === '' ? role : role + this.progress(this.#options.opening);
  }

  #shown(delta: Json): Json {
    const { role: _role, tool_calls: fragments, content, ...rest } = delta;
    this.#turn.addText(delta);
    if (delta['function_call'] !== undefined && delta['function_call'] !== null) this.#turn.functionCall = true;
    const calls = listOf(fragments).flatMap((fragment) => this.#showCall(membersOf(fragment)));
    const present = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined);
    return {
      ...Object.fromEntries(present),
      ...(typeof content === 'string' && content !== '' && { content: this.#separated(content) }),
      ...(calls.length > 0 && { tool_calls: calls }),
    };
  }

  #separated(content: string): string {
    const before = this.#paragraph;
    this.#paragraph = '';
    return before === '' || before === ' ' ? content : `\n\n${content}`;
  }

  /** A client's call as it comes; whose it is, its first fragment with a name says. */
  #showCall(fragment: Json): Json[] {
    const known = this.#turn.addCall(fragment);
    if (known.shownAt !== undefined) return [{ ...fragment, index: known.shownAt }];
    const isCustom = known.entry['type'] === 'custom';
    if (known.name === '' || (!isCustom && this.#options.isOurs(known.name))) return [];
    known.shownAt = this.#shownCalls++;
    return [{ ...fragment, ...known.entry, index: known.shownAt, ...soFar(known, isCustom) }];
  }

  /** @param rest of the choice, @param own what else the chunk holds */
  #chunk(delta: Json, finishReason: unknown = null, rest: Json = {}, own: Json = {}): string {
    const choice = { index: 0, delta, logprobs: null, ...rest, finish_reason: finishReason };
    const usage = this.#showsUsage ? { usage: null } : {};
    return sseText(JSON.stringify({ ...own, ...this.#head, choices: [choice], ...usage }));
  }
}

/** Name and everything of the arguments that came before it. */
function soFar({ name, argumentsText }: CallParts, isCustom: boolean): Json {
  return isCustom ? { custom: { name, input: argumentsText } } : { function: { name, arguments: argumentsText } };
}
