/** Folds a stream of OpenAI's Chat Completions. */
import type { JsonObject, JsonValue } from '../translate/translator.ts';
import { elementsOf, filled, isObject, membersOf } from '../translate/wire/json.ts';
import { eventOf, type GrowingFolder } from './folder.ts';
import { MergedObject } from './merged.ts';

export function foldChat(): GrowingFolder {
  return new ChatFolder();
}

class ChatFolder implements GrowingFolder {
  /** What all chunks say of the answer, the last word of each. */
  readonly #head = new Map<string, JsonValue>();
  readonly #choices = new Map<number, ChoiceFolder>();
  #begun = false;
  #done = false;
  #failed = false;

  get whole(): boolean {
    if (this.#failed) return false;
    const choices = [...this.#choices.values()];
    return this.#done || (choices.length > 0 && choices.every(({ finished }) => finished));
  }

  push(data: string | JsonObject): void {
    if (this.#done) return;
    if (typeof data === 'string' && data.trim() === '[DONE]') {
      this.#done = true;
      return;
    }
    const chunk = eventOf(data);
    if (chunk === undefined || (chunk['error'] ?? null) !== null) this.#failed = true;
    else if (Array.isArray(chunk['choices'])) this.#chunk(chunk);
  }

  result(): JsonObject | undefined {
    if (!this.#begun) return undefined;
    const choices = [...this.#choices].sort(([left], [right]) => left - right);
    return {
      ...Object.fromEntries(this.#head),
      object: 'chat.completion',
      choices: choices.map(([index, choice]) => choice.result(index)),
    };
  }

  growing({ choices, error }: JsonObject): string | undefined {
    const [choice, ...others] = elementsOf(choices);
    if (!isObject(choice) || others.length > 0 || (error ?? null) !== null) return undefined;
    return this.#choices.get(indexOf(choice))?.growing(choice);
  }

  #chunk(chunk: JsonObject): void {
    this.#begun = true;
    for (const [name, value] of Object.entries(chunk)) {
      // Padding against those who guess at texts from the lengths of chunks.
      if (name === 'choices' || name === 'obfuscation') continue;
      if (value !== null && value !== '') this.#head.set(name, value);
    }
    for (const choice of elementsOf(chunk['choices'])) if (isObject(choice)) this.#choice(choice);
  }

  #choice(choice: JsonObject): void {
    const index = indexOf(choice);
    const folder = this.#choices.get(index) ?? new ChoiceFolder();
    this.#choices.set(index, folder);
    folder.add(choice);
  }
}

class ChoiceFolder {
  readonly #message = new MergedObject();
  readonly #logprobs = new MergedObject();
  readonly #others = new Map<string, JsonValue>();
  #hasLogprobs = false;
  #hasDeltas = false;
  #finish: string | undefined;

  get finished(): boolean {
    return this.#finish !== undefined;
  }

  add({ index: _index, delta, message, logprobs, finish_reason: finish, ...others }: JsonObject): void {
    // The whole message as the only chunk; behind deltas it says the same again.
    this.#message.add(membersOf(delta ?? (this.#hasDeltas ? undefined : message)));
    this.#hasDeltas ||= isObject(delta) || isObject(message);
    if (isObject(logprobs)) {
      this.#hasLogprobs = true;
      this.#logprobs.add(logprobs);
    }
    this.#finish = filled(finish) ?? this.#finish;
    for (const [name, value] of Object.entries(others)) this.#others.set(name, value);
  }

  growing({ delta, logprobs }: JsonObject): string | undefined {
    if (!isObject(delta) || isObject(logprobs)) return undefined;
    const [name = '', ...others] = this.#message.growth(delta);
    return others.length === 0 ? filled(name) : undefined;
  }

  result(index: number): JsonObject {
    const message = this.#message.value();
    return {
      index,
      message: {
        role: 'assistant',
        content: null,
        refusal: null,
        ...message,
        ...(Array.isArray(message['tool_calls']) && { tool_calls: message['tool_calls'].map(withoutIndex) }),
      },
      logprobs: this.#hasLogprobs ? this.#logprobs.value() : null,
      ...Object.fromEntries(this.#others),
      finish_reason: this.#finish ?? null,
    };
  }
}

function indexOf({ index }: JsonObject): number {
  return typeof index === 'number' ? index : 0;
}

/** Only deltas have one. */
function withoutIndex(call: JsonValue): JsonValue {
  if (!isObject(call)) return call;
  const { index: _index, ...rest } = call;
  return rest;
}
