/** A stream of Chat Completions chunks → Anthropic's sequence of events. One instance serves one answer. */
import { type Passage, type Piece, QuickPath } from '../quick-path.ts';
import { type SseEvent, SseEventReader, SseEventWriter } from '../sse.ts';
import type { JsonObject, StreamTranslator, TranslationContext } from '../translator.ts';
import { elementsOf, filled, isObject, parseObject } from '../wire/json.ts';
import { type MessagesError, type MessagesEvent, type MessagesUsage, message } from '../wire/messages.ts';
import { Blocks } from './blocks.ts';
import { errorIn, listedError, streamError } from './error.ts';
import { clientNames } from './function-names.ts';
import { callIds, choiceOf, headOf, indexOf } from './head.ts';
import { remark } from './loss.ts';
import { pieceOf } from './piece.ts';
import { proseOf, reasoningText } from './reasoning.ts';
import { type Finish, failureOf, finishOf, isCutByLimit, isKnown, messageEnd } from './stop-reason.ts';
import { ToolCalls } from './tool-calls.ts';
import { NO_USAGE, usageOf } from './usage.ts';

const DONE = '[DONE]';
/** Behind a call that never ends, this much is held before the answer counts as broken. */
const MAX_HELD_CHARS = 32 * 1024 ** 2;
const UNFINISHED: Finish = { reason: undefined, stopSequence: undefined };

export class MessagesStream implements StreamTranslator {
  readonly #context: TranslationContext;
  readonly #reader = new SseEventReader(
    (event) => this.#event(event),
    () => this.#signOfLife(),
  );
  readonly #writer = new SseEventWriter();
  readonly #quickPath = new QuickPath({
    pieceOf: (event) => pieceOf(event, { flavor: this.#context.flavor, choice: this.#index }),
    passage: (piece) => this.#passage(piece),
  });
  readonly #blocks: Blocks;
  readonly #calls: ToolCalls;
  /** `ended`: message_stop was sent. `failed`: an error event was; nothing follows either. */
  #state: 'waiting' | 'open' | 'ended' | 'failed' = 'waiting';
  #finish: Finish | undefined;
  #refused = false;
  #hasDeltas = false;
  /** The number of the choice that is answered with. */
  #index: number | undefined;
  #usage: MessagesUsage | undefined;
  /** The upstream's bytes are over; what comes out now was an event without its last line end. */
  #closing = false;

  constructor(context: TranslationContext) {
    this.#context = context;
    this.#blocks = new Blocks({
      emit: (event) => this.#emit(event),
      freshCallId: callIds(context),
      onExcess: () => remark(context, 'tool_arguments'),
    });
    this.#calls = new ToolCalls(this.#blocks, clientNames(context));
  }

  push(chunk: Buffer): Buffer {
    if (this.#over) return this.#writer.take();
    const passed = this.#quickPath.pass(chunk);
    if (passed !== undefined) return passed;
    this.#reader.push(chunk);
    if (this.#reader.overflown) this.#fail('api_error', 'The upstream sent an event that is too long to be one');
    this.#quickPath.learn(chunk);
    return this.#writer.take();
  }

  end(): { readonly bytes: Buffer; readonly whole: boolean } {
    this.#closing = true;
    if (!this.#over) this.#reader.end();
    // Not every server says [DONE]; the choice's finish_reason and an orderly end of the bytes are as good.
    if (!this.#over && this.#finish !== undefined) this.#terminate();
    return { bytes: this.#writer.take(), whole: this.#state === 'ended' };
  }

  farewell(text: string): Buffer {
    this.#fail('api_error', text);
    return this.#writer.take();
  }

  get #over(): boolean {
    return this.#state === 'ended' || this.#state === 'failed';
  }

  #passage({ kind, index }: Piece): Passage | undefined {
    return kind === 'call' ? this.#calls.passage(index) : this.#blocks.passage(kind);
  }

  #event({ name, data }: SseEvent): void {
    if (this.#over) return;
    if (data.trim() === DONE) {
      this.#terminate();
      return;
    }
    const chunk = parseObject(data) ?? listedError(data);
    if (chunk === undefined) this.#unreadable();
    else this.#chunk(chunk, name);
  }

  /** Clients give up on silence, also while a model thinks about its first word; comments tell that the upstream is there. */
  #signOfLife(): void {
    if (!this.#over) this.#writer.comment();
  }

  #unreadable(): void {
    // The tail of a stream that ended may be half an event: whether it was needed, the finish tells.
    if (!this.#closing) this.#fail('api_error', 'The upstream sent an event that is no JSON object');
  }

  #chunk(chunk: JsonObject, name: string | undefined): void {
    const error = errorIn(chunk) ?? (name === 'error' ? chunk : undefined);
    if (error !== undefined) {
      const { type, message: text } = streamError(error);
      this.#fail(type, text);
      return;
    }
    this.#usage = usageOf(chunk) ?? this.#usage;
    const choice = choiceOf(chunk, this.#index);
    // Azure opens with a chunk about the prompt's filter, and usage comes behind the choice: neither begins a message.
    if (choice === undefined) return;
    if (this.#state === 'waiting') this.#start(chunk);
    this.#index ??= indexOf(choice);
    this.#choice(choice);
  }

  #start(chunk: JsonObject): void {
    this.#state = 'open';
    const opening = message(headOf(chunk, this.#context), [], undefined, this.#usage ?? NO_USAGE);
    this.#emit({ type: 'message_start', message: opening });
  }

  #choice(choice: JsonObject): void {
    // A server that answers with one whole message as its only chunk names it `message`; behind deltas it says the same again.
    const delta = choice['delta'] ?? (this.#hasDeltas ? undefined : choice['message']);
    if (isObject(delta)) {
      this.#hasDeltas = true;
      this.#delta(delta);
    }
    this.#finish = finishOf(choice) ?? this.#finish;
  }

  /** What is read here, in a choice or in a chunk makes it one that piece.ts has to leave to this path. */
  #delta(delta: JsonObject): void {
    this.#blocks.prose('thinking', reasoningText(delta, this.#context.flavor));
    for (const { kind, text } of proseOf(delta['content'])) this.#blocks.prose(kind, text);
    const refusal = filled(delta['refusal']);
    if (refusal !== undefined) {
      this.#refused = true;
      this.#blocks.prose('text', refusal);
    }
    this.#calls.delta(delta);
    if (this.#blocks.heldChars > MAX_HELD_CHARS) this.#fail('api_error', 'The upstream never ended a tool call');
    if (elementsOf(delta['annotations']).length > 0) remark(this.#context, 'citations');
    if (isObject(delta['audio'])) remark(this.#context, 'audio');
  }

  #terminate(): void {
    if (this.#state !== 'open') return;
    const finish = this.#finish ?? UNFINISHED;
    const failure = failureOf(finish);
    if (failure !== undefined) this.#fail(failure, `The upstream broke off its answer: ${finish.reason}`);
    else if (!this.#blocks.finish(isCutByLimit(finish)))
      this.#fail('api_error', 'The upstream ended its answer inside a tool call');
    else this.#stop(finish);
  }

  #stop(finish: Finish): void {
    if (!isKnown(finish)) remark(this.#context, 'finish_reason');
    if (this.#usage === undefined) remark(this.#context, 'usage');
    const delta = messageEnd(finish, this.#blocks.calls, this.#refused);
    this.#emit({ type: 'message_delta', delta, usage: this.#usage ?? NO_USAGE });
    this.#emit({ type: 'message_stop' });
    this.#state = 'ended';
  }

  /** Blocks that are open stay open: what was not whole is not passed off as whole. */
  #fail(type: MessagesError['type'], text: string): void {
    if (this.#over) return;
    this.#emit({ type: 'error', error: { type, message: text } });
    this.#state = 'failed';
  }

  #emit(event: MessagesEvent): void {
    this.#writer.event(event.type, event);
  }
}
