/** Content of the client's messages: a text or a list of parts → content blocks. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { isObject, requireList, requireObject } from '../wire/json.ts';
import { badField, given, textAt, textOf } from './field.ts';
import { remark } from './loss.ts';

/** @returns the blocks of a message's content; empty texts, which the API refuses, are left out */
export function contentBlocks(
  content: JsonValue | undefined,
  field: string,
  context: TranslationContext,
): JsonObject[] {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return textBlocks(content);
  return requireList(content, field).flatMap((part, index) => partBlocks(part, `${field}[${index}]`, context));
}

function partBlocks(value: JsonValue, field: string, context: TranslationContext): JsonObject[] {
  if (typeof value === 'string') return textBlocks(value);
  const part = requireObject(value, field);
  const cached = cacheControl(part);
  switch (part['type']) {
    case 'text':
      return textBlocks(textOf(part['text']) ?? '').map((block) => ({ ...block, ...cached }));
    case 'refusal':
      return textBlocks(textOf(part['refusal']) ?? '');
    case 'image_url':
      return [{ ...imageBlock(part['image_url'], `${field}.image_url`, context), ...cached }];
    case 'file':
      return [{ ...fileBlock(part['file'], `${field}.file`), ...cached }];
    default:
      throw badField(`${field}.type`, 'only "text", "image_url" and "file" parts can be sent to this upstream');
  }
}

/** One block, or none: the API refuses texts without a visible character. */
export function textBlocks(text: string): JsonObject[] {
  return text.trim() === '' ? [] : [{ type: 'text', text }];
}

/**
 * Where a prompt cache may end: Anthropic's own member, which many clients send in OpenAI's form as well, or OpenAI's
 * breakpoint for the same thing.
 */
export function cacheControl(part: JsonObject): JsonObject {
  const own = given(part, 'cache_control');
  if (isObject(own)) return { cache_control: own };
  return given(part, 'prompt_cache_breakpoint') === undefined ? {} : { cache_control: { type: 'ephemeral' } };
}

function imageBlock(value: JsonValue | undefined, field: string, context: TranslationContext): JsonObject {
  // Some clients send the url itself where the API has an object.
  const image = typeof value === 'string' ? { url: value } : requireObject(value, field);
  const url = textAt(image['url'], `${field}.url`);
  const detail = given(image, 'detail');
  if (detail !== undefined && detail !== 'auto') remark(context, 'image_detail');
  const data = dataUrl(url, `${field}.url`);
  if (data !== undefined) return { type: 'image', source: { type: 'base64', ...data } };
  if (!/^https?:\/\//i.test(url)) throw badField(`${field}.url`, 'send an http or https url, or a base64 data url');
  return { type: 'image', source: { type: 'url', url } };
}

function fileBlock(value: JsonValue | undefined, field: string): JsonObject {
  const file = requireObject(value, field);
  const content = textOf(given(file, 'file_data'));
  if (content === undefined)
    throw badField(
      field,
      'send the file itself in "file_data": an uploaded file of OpenAI cannot be read by this upstream',
    );
  const filename = textOf(given(file, 'filename'));
  const title = filename === undefined ? {} : { title: filename };
  const data = dataUrl(content, `${field}.file_data`);
  if (data === undefined) throw badField(`${field}.file_data`, 'send a base64 data url');
  if (data.media_type === 'text/plain') {
    const text = Buffer.from(data.data, 'base64').toString('utf8');
    return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: text }, ...title };
  }
  return { type: 'document', source: { type: 'base64', ...data }, ...title };
}

/** @returns undefined when it is no data url */
function dataUrl(url: string, field: string): { readonly media_type: string; readonly data: string } | undefined {
  if (!/^data:/i.test(url)) return undefined;
  const comma = url.indexOf(',');
  // Parameters such as `name=` or `charset=` stand between the type and `base64`.
  const [type = '', ...parameters] = url.slice('data:'.length, comma).split(';');
  if (comma === -1 || type === '' || parameters.at(-1)?.toLowerCase() !== 'base64')
    throw badField(field, 'send a data url of the form "data:image/png;base64,…"');
  const mediaType = type.toLowerCase();
  // A name that no registry knows and many clients write; the API takes the registered one alone.
  return { media_type: mediaType === 'image/jpg' ? 'image/jpeg' : mediaType, data: url.slice(comma + 1) };
}
