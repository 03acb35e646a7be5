/** Judges a sequence of Messages events by the rules that clients rely on; reads the bytes by the rules of SSE alone. */

export interface WireEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** @param text events as they are written: one `event:` and one `data:` line, a blank line; comments between them */
export function wireEvents(text: string): WireEvent[] {
  const frames = text.split('\n\n').filter((frame) => frame !== '' && !frame.startsWith(':'));
  return frames.map((frame) => {
    const [, name = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(frame) ?? [];
    return { name, data: JSON.parse(data) as Record<string, unknown> };
  });
}

const DELTAS: Readonly<Record<string, readonly string[]>> = {
  text: ['text_delta'],
  thinking: ['thinking_delta', 'signature_delta'],
  tool_use: ['input_json_delta'],
};

/** @returns what is wrong, in order; empty for a valid sequence, be it whole or ended by an error */
export function sequenceProblems(events: readonly WireEvent[]): string[] {
  const judge = new Judge();
  for (const event of events) judge.event(event);
  judge.end();
  return judge.problems;
}

class Judge {
  readonly problems: string[] = [];
  #started = false;
  #over = false;
  #ending = false;
  #next = 0;
  #open: string | undefined;
  #signed = false;

  event({ name, data }: WireEvent): void {
    if (data['type'] !== name) this.#problem(`the name ${name} is not the type ${String(data['type'])}`);
    if (this.#over) this.#problem(`${name} behind the end`);
    if (name === 'error') this.#over = true;
    else if (name === 'message_start') this.#start(data);
    else if (!this.#started) this.#problem(`${name} before message_start`);
    else this.#inside(name, data);
  }

  end(): void {
    if (!this.#over) this.#problem('neither message_stop nor error at the end');
  }

  #start(data: WireEvent['data']): void {
    if (this.#started) this.#problem('a second message_start');
    this.#started = true;
    const message = data['message'] as Record<string, unknown>;
    if (typeof (message['usage'] as Record<string, unknown>)['input_tokens'] !== 'number') this.#problem('no usage');
    if (typeof message['id'] !== 'string' || typeof message['model'] !== 'string') this.#problem('no id or model');
  }

  #inside(name: string, data: WireEvent['data']): void {
    if (name === 'message_delta') this.#messageDelta(data);
    else if (name === 'message_stop') {
      if (!this.#ending) this.#problem('message_stop without message_delta');
      this.#over = true;
    } else if (this.#ending) this.#problem(`${name} behind message_delta`);
    else this.#block(name, data);
  }

  #messageDelta(data: WireEvent['data']): void {
    if (this.#open !== undefined) this.#problem('message_delta inside a block');
    this.#ending = true;
    const { stop_reason: reason } = data['delta'] as Record<string, unknown>;
    if (typeof reason !== 'string') this.#problem('no stop_reason');
    if (typeof (data['usage'] as Record<string, unknown>)['output_tokens'] !== 'number') this.#problem('no usage');
  }

  #block(name: string, data: WireEvent['data']): void {
    if (data['index'] !== this.#next) this.#problem(`index ${String(data['index'])} instead of ${this.#next}`);
    if (name === 'content_block_start') this.#blockStart(data);
    else if (name === 'content_block_delta') this.#delta(data);
    else if (name === 'content_block_stop') this.#blockStop();
    else this.#problem(`unknown event ${name}`);
  }

  #blockStart(data: WireEvent['data']): void {
    if (this.#open !== undefined) this.#problem('a block inside a block');
    const block = data['content_block'] as Record<string, unknown>;
    this.#open = String(block['type']);
    this.#signed = false;
    if (this.#open === 'tool_use' && !(block['id'] && block['name'])) this.#problem('a tool_use without id or name');
  }

  #delta(data: WireEvent['data']): void {
    const type = String((data['delta'] as Record<string, unknown>)['type']);
    if (!DELTAS[this.#open ?? '']?.includes(type)) this.#problem(`${type} in ${this.#open ?? 'no block'}`);
    if (this.#signed) this.#problem(`${type} behind the signature`);
    if (type === 'signature_delta') this.#signed = true;
  }

  #blockStop(): void {
    if (this.#open === undefined) this.#problem('a stop without a block');
    if (this.#open === 'thinking' && !this.#signed) this.#problem('a thinking block without signature');
    this.#open = undefined;
    this.#next++;
  }

  #problem(text: string): void {
    this.problems.push(text);
  }
}
