/** Sources of what the model says: Anthropic's citations of web pages → OpenAI's annotations, whose indexes count characters of the answer. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { elementsOf, filled, membersOf } from '../wire/json.ts';
import { remark } from './loss.ts';

/**
 * @param citations of one block of text
 * @param start where the block's text begins in the whole answer
 * @param end where it ends
 */
export function annotationsOf(
  citations: JsonValue | undefined,
  start: number,
  end: number,
  context: TranslationContext,
): JsonObject[] {
  return elementsOf(citations).flatMap((value) => {
    const citation = membersOf(value);
    const url = filled(citation['url']);
    if (url === undefined) {
      // Of documents and search results that the request brought: no annotation points to these.
      remark(context, 'citations');
      return [];
    }
    const title = filled(citation['title']) ?? '';
    return [{ type: 'url_citation', url_citation: { start_index: start, end_index: end, title, url } }];
  });
}
