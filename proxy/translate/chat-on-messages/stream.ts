/** A streamed answer: Anthropic's events → OpenAI's chunks, each as soon as it is known. */
import { type Frame, frameOf, type Passage, type Piece, QuickPath } from '../quick-path.ts';
import { SseEventReader, SseEventWriter } from '../sse.ts';
import type { JsonObject, StreamTranslator, TranslationContext } from '../translator.ts';
import { type ChatErrorBody, type ChatHead, chatChunk, chatUsageChunk, type FinishReason } from '../wire/chat.ts';
import { elementsOf, filled, membersOf, parseObject } from '../wire/json.ts';
import { chatHead } from './answer.ts';
import { type AnswerForm, answerForm } from './answer-form.ts';
import { StreamBlocks } from './blocks.ts';
import { chatErrorEvent, chatFarewell } from './error.ts';
import { remark } from './loss.ts';
import { pieceOf } from './piece.ts';
import { finishReason, refusalOf } from './stop-reason.ts';
import { chatUsage, laterCounts } from './usage.ts';

export class ChatStream implements StreamTranslator {
  readonly #context: TranslationContext;
  readonly #form: AnswerForm;
  readonly #reader = new SseEventReader(({ name, data }) => this.#event(name, data));
  readonly #writer = new SseEventWriter();
  readonly #quickPath = new QuickPath({ pieceOf, passage: (piece) => this.#passage(piece) });
  readonly #frame = (delta: JsonObject): Frame | undefined => frameOf(undefined, this.#chunkOf(delta, null));
  readonly #blocks: StreamBlocks;
  #head: ChatHead | undefined;
  #usage: JsonObject = {};
  #end: JsonObject = {};
  /** `whole` and `failed` are final: whatever comes behind is not part of the answer. */
  #state: 'open' | 'whole' | 'failed' = 'open';

  constructor(context: TranslationContext) {
    this.#context = context;
    this.#form = answerForm(context);
    this.#blocks = new StreamBlocks((delta) => this.#chunk(delta, null), this.#form.functions, context);
  }

  push(chunk: Buffer): Buffer {
    const passed = this.#quickPath.pass(chunk);
    if (passed !== undefined) return passed;
    this.#reader.push(chunk);
    if (this.#reader.overflown && this.#state === 'open')
      this.#fail(chatFarewell('The upstream sent an event that is too long'));
    this.#quickPath.learn(chunk);
    return this.#writer.take();
  }

  end(): { bytes: Buffer; whole: boolean } {
    this.#reader.end();
    return { bytes: this.#writer.take(), whole: this.#state === 'whole' };
  }

  farewell(message: string): Buffer {
    if (this.#state === 'open') this.#fail(chatFarewell(message));
    return this.#writer.take();
  }

  #passage(piece: Piece): Passage | undefined {
    if (this.#state !== 'open' || this.#head === undefined) return undefined;
    return this.#blocks.passage(piece, this.#frame);
  }

  #event(name: string | undefined, data: string): void {
    if (this.#state !== 'open') return;
    const event = parseObject(data);
    if (event === undefined) {
      this.#fail(chatFarewell('The upstream sent an event that is no JSON'));
      return;
    }
    // Some that imitate the API say an event's kind in its name alone.
    switch (event['type'] ?? name) {
      case 'message_start':
        this.#start(membersOf(event['message']));
        return;
      case 'content_block_start':
        this.#blocks.start(event['index'], membersOf(event['content_block']));
        return;
      case 'content_block_delta':
        this.#blocks.delta(event['index'], membersOf(event['delta']));
        return;
      case 'content_block_stop':
        this.#blocks.stop(event['index']);
        return;
      case 'message_delta':
        this.#messageDelta(event);
        return;
      case 'message_stop':
        this.#finish();
        return;
      case 'error':
        this.#fail(chatErrorEvent(event));
        return;
      // `ping`, and what the API may add.
      default:
    }
  }

  #start(message: JsonObject): void {
    if (this.#head !== undefined) return;
    this.#head = chatHead(message, this.#context);
    this.#usage = laterCounts(this.#usage, message['usage']);
    this.#chunk({ role: 'assistant' }, null);
    // While code of the API's own calls the client's tools, each call is a message that is whole at its beginning.
    for (const [place, block] of elementsOf(message['content']).entries()) {
      this.#blocks.start(`start ${place}`, membersOf(block));
      this.#blocks.stop(`start ${place}`);
    }
    if (filled(message['stop_reason']) !== undefined) this.#end = message;
  }

  #messageDelta(event: JsonObject): void {
    this.#usage = laterCounts(this.#usage, event['usage']);
    const delta = membersOf(event['delta']);
    if (filled(delta['stop_reason']) !== undefined) this.#end = delta;
  }

  /** The finish waits for the very last event: a stream that is cut before it must not look finished. */
  #finish(): void {
    this.#blocks.finish();
    const refusal = refusalOf(this.#end);
    if (refusal !== undefined) this.#chunk({ refusal }, null);
    const { reason, unknown } = finishReason(this.#end['stop_reason'], this.#blocks.calls, this.#form.functions);
    if (unknown) remark(this.#context, 'stop_reason');
    this.#chunk({}, reason);
    if (this.#form.usage) this.#write(chatUsageChunk(this.#opened(), chatUsage(this.#usage)));
    this.#writer.raw(undefined, '[DONE]');
    this.#state = 'whole';
  }

  /** No `[DONE]` follows. */
  #fail(error: ChatErrorBody): void {
    this.#write(error);
    this.#state = 'failed';
  }

  #chunk(delta: JsonObject, finish: FinishReason | null): void {
    this.#write(this.#chunkOf(delta, finish));
  }

  #chunkOf(delta: JsonObject, finish: FinishReason | null): JsonObject {
    return chatChunk(this.#opened(), delta, finish, this.#form.usage);
  }

  /** A stream that lacks its beginning gets one. */
  #opened(): ChatHead {
    if (this.#head === undefined) this.#start({});
    return this.#head ?? chatHead({}, this.#context);
  }

  #write(data: JsonObject): void {
    this.#writer.event(undefined, data);
  }
}
