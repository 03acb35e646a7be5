/** What of an answer's form depends on the client's request. */
import type { TranslationContext } from '../translator.ts';
import { elementsOf, membersOf } from '../wire/json.ts';

export interface AnswerForm {
  /** The last chunk of a stream tells the usage, and all others carry it as null. */
  readonly usage: boolean;
  /** The client declared `functions`, the form before tools: it waits for a `function_call`. */
  readonly functions: boolean;
}

export function answerForm({ request = {} }: TranslationContext): AnswerForm {
  return {
    usage: membersOf(request['stream_options'])['include_usage'] === true,
    functions: elementsOf(request['tools']).length === 0 && elementsOf(request['functions']).length > 0,
  };
}
