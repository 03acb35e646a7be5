/** Scanner of Anthropic's Messages streams. Every event is told by its name; only the few rare ones are parsed. */
import { EventScanner } from './event-scanner.ts';
import { errorType, eventJson, modelName, nameFromData, nameIs } from './facts.ts';
import type { SseReader } from './sse.ts';
import { anthropicUsage, objectOf } from './usage.ts';

const BLOCK_DELTA = Buffer.from('content_block_delta');
const BLOCK_START = Buffer.from('content_block_start');
const MESSAGE_START = Buffer.from('message_start');
const MESSAGE_DELTA = Buffer.from('message_delta');
const MESSAGE_STOP = Buffer.from('message_stop');
const ERROR = Buffer.from('error');

export class MessagesScanner extends EventScanner {
  protected override event(): void {
    const event = this.sse;
    if (event.nameStart === event.nameEnd) nameFromData(event);
    if (nameIs(event, BLOCK_DELTA)) this.facts.contentEvents++;
    else this.#rare(event);
  }

  /** For itself: machine code that reads what was parsed is thrown away whenever no such value is left, at each full collection. */
  #rare(event: SseReader): void {
    const facts = this.facts;
    if (nameIs(event, BLOCK_START)) {
      if (event.oversize || bearsContent(objectOf(eventJson(event))['content_block'])) facts.contentEvents++;
    } else if (nameIs(event, MESSAGE_START)) {
      const { model, usage } = objectOf(objectOf(eventJson(event))['message']);
      facts.model = modelName(model) ?? facts.model;
      facts.addUsage(anthropicUsage(usage));
    } else if (nameIs(event, MESSAGE_DELTA)) facts.addUsage(anthropicUsage(objectOf(eventJson(event))['usage']));
    else if (nameIs(event, MESSAGE_STOP)) facts.terminalSeen = true;
    else if (nameIs(event, ERROR)) facts.addError(errorType(objectOf(eventJson(event))['error']));
  }
}

/** Text, thinking and compaction open empty and are filled by deltas; every other kind of block says something by being there. */
function bearsContent(block: unknown): boolean {
  const { type, text, thinking, content } = objectOf(block);
  switch (type) {
    case undefined:
      return false;
    case 'text':
      return typeof text === 'string' && text !== '';
    case 'thinking':
      return typeof thinking === 'string' && thinking !== '';
    case 'compaction':
      return content !== null && content !== undefined;
    default:
      return true;
  }
}
