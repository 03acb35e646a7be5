/** Names of an answer: its id, its model and ids for calls that come without; made up where the upstream gives none. */
import type { JsonObject, TranslationContext } from '../translator.ts';
import { filled } from '../wire/json.ts';

/** @param answer a whole answer, or the first chunk of a stream */
export function headOf(
  answer: JsonObject,
  context: TranslationContext,
): { readonly id: string; readonly model: string } {
  return {
    id: filled(answer['id']) ?? `msg_${context.exchangeId}`,
    model: filled(answer['model']) ?? context.askedModel ?? context.model ?? 'unknown',
  };
}

/** @returns makes an id for one more call of this answer; unlike those of every other exchange */
export function callIds({ exchangeId }: TranslationContext): () => string {
  const prefix = `toolu_${exchangeId.replaceAll(/[^a-zA-Z0-9]/g, '')}`;
  let calls = 0;
  return () => `${prefix}_${++calls}`;
}
