/** Of an answer what names it (its id, its model, ids for calls that come without; made up where there are none) and the one choice. */
import type { JsonObject, TranslationContext } from '../translator.ts';
import { elementsOf, filled, isObject } from '../wire/json.ts';

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

/**
 * The choice that is answered with. A Messages client asks for one alone; an upstream that gives several all the same must not
 * have them mixed.
 * @param answer a whole answer, or one chunk of a stream
 * @param index of the choice as earlier chunks had it; undefined: the first, or the one that says so
 */
export function choiceOf(answer: JsonObject, index?: number): JsonObject | undefined {
  const choices = elementsOf(answer['choices']).filter(isObject);
  const numbered = choices.find((choice) => indexOf(choice) === (index ?? 0));
  return numbered ?? (index === undefined ? choices[0] : undefined);
}

/** @returns a choice's number; 0 where it has none */
export function indexOf({ index }: JsonObject): number {
  return typeof index === 'number' ? index : 0;
}

/** @returns makes an id for one more call of this answer; unlike those of every other exchange */
export function callIds({ exchangeId }: TranslationContext): () => string {
  const prefix = `toolu_${exchangeId.replaceAll(/[^a-zA-Z0-9]/g, '')}`;
  let calls = 0;
  return () => `${prefix}_${++calls}`;
}
