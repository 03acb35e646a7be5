/** Content blocks of a request → parts of a Chat message: text, images, documents, search results. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import {
  elementsOf,
  filled,
  isObject,
  membersOf,
  refuse,
  requireList,
  requireObject,
  requireString,
} from '../wire/json.ts';
import { lose, remark } from './loss.ts';

/** A content list's element with its place in the request. */
export interface PlacedBlock {
  readonly block: JsonObject;
  readonly path: string;
}

/** @throws ProxyError bad_request that names the field when it is neither a text nor a list of blocks */
export function blocksAt(content: JsonValue | undefined, path: string): readonly PlacedBlock[] {
  if (typeof content === 'string') return content === '' ? [] : [{ block: { type: 'text', text: content }, path }];
  if (!Array.isArray(content)) return refuse(path, 'a text or a list of content blocks');
  return requireList(content, path).map((element, at) => ({
    block: requireObject(element, `${path}[${at}]`),
    path: `${path}[${at}]`,
  }));
}

export type TextPart = { readonly type: 'text'; readonly text: string };

/** A part of a message's content. https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages */
export type ChatPart =
  | TextPart
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } }
  | { readonly type: 'file'; readonly file: { readonly filename: string; readonly file_data: string } };

/** @returns the parts that stand for one block; none when it is lost */
export function partsOf({ block, path }: PlacedBlock, context: TranslationContext): ChatPart[] {
  remarkMarks(block, context);
  switch (block['type']) {
    case 'text':
      return textParts(requireString(block['text'], `${path}.text`));
    case 'image':
      return imageParts(block, path, context);
    case 'document':
      return documentParts(block, path, context);
    case 'search_result':
      return [searchResultPart(block, path)];
    default:
      return loseBlock(block, path, context);
  }
}

/** Marks on a block that no Chat upstream reads. */
export function remarkMarks(block: JsonObject, context: TranslationContext): void {
  if (isObject(block['cache_control'])) remark(context, 'cache_control');
  if (elementsOf(block['citations']).length > 0) remark(context, 'citations');
  if (membersOf(block['citations'])['enabled'] === true) remark(context, 'citations');
}

/** Several texts become one: not every server takes a list where a text would do. */
export function contentOf(parts: readonly ChatPart[]): string | readonly ChatPart[] {
  return parts.every((part) => part.type === 'text') ? joinedTexts(parts) : parts;
}

export function joinedTexts(parts: readonly TextPart[]): string {
  return parts.map(({ text }) => text).join('\n\n');
}

/** An empty text says nothing, and some servers refuse it. */
function textParts(text: string): TextPart[] {
  return text === '' ? [] : [textPart(text)];
}

export function textPart(text: string): TextPart {
  return { type: 'text', text };
}

function imageParts(block: JsonObject, path: string, context: TranslationContext): ChatPart[] {
  const source = requireObject(block['source'], `${path}.source`);
  if (source['type'] === 'base64') return [imagePart(dataUrl(source, path))];
  if (source['type'] === 'url' && context.flavor.imageUrls)
    return [imagePart(requireString(source['url'], `${path}.source.url`))];
  lose(context, 'image', `${path}.source`, 'send the image itself, as a source of type "base64"');
  return [];
}

function imagePart(url: string): ChatPart {
  return { type: 'image_url', image_url: { url } };
}

function dataUrl(source: JsonObject, path: string): string {
  const type = requireString(source['media_type'], `${path}.source.media_type`);
  return `data:${type};base64,${requireString(source['data'], `${path}.source.data`)}`;
}

function documentParts(block: JsonObject, path: string, context: TranslationContext): ChatPart[] {
  const source = requireObject(block['source'], `${path}.source`);
  const heading = [block['title'], block['context']].map(filled).filter((line) => line !== undefined);
  switch (source['type']) {
    case 'text':
      return [textPart([...heading, requireString(source['data'], `${path}.source.data`)].join('\n'))];
    case 'content': {
      const inner = blocksAt(source['content'], `${path}.source.content`).flatMap((part) => partsOf(part, context));
      return heading.length > 0 ? [textPart(heading.join('\n')), ...inner] : inner;
    }
    case 'base64':
      if (context.flavor.files) return [filePart(block, source, path)];
      break;
    default:
      break;
  }
  lose(context, 'document', `${path}.source`, 'send the text of the document, as a source of type "text"');
  return [];
}

/** https://platform.openai.com/docs/guides/pdf-files: a file needs a name. */
function filePart(block: JsonObject, source: JsonObject, path: string): ChatPart {
  const filename = filled(block['title']) ?? 'document.pdf';
  return { type: 'file', file: { filename, file_data: dataUrl(source, path) } };
}

function searchResultPart(block: JsonObject, path: string): TextPart {
  const texts = blocksAt(block['content'], `${path}.content`).map(({ block: { text } }) => filled(text));
  const lines = [filled(block['title']), filled(block['source']), ...texts];
  return textPart(lines.filter((line) => line !== undefined).join('\n'));
}

const SERVER_TOOL_BLOCK = /^(server_tool_use|mcp_tool_use|container_upload|.+_tool_result)$/;

function loseBlock({ type }: JsonObject, path: string, context: TranslationContext): ChatPart[] {
  if (typeof type !== 'string') return refuse(`${path}.type`, 'the type of a content block');
  if (SERVER_TOOL_BLOCK.test(type))
    lose(context, 'server_tool_block', path, `leave out the block of type "${type}", or start a new conversation`);
  else lose(context, 'unknown_block', path, `leave out the block of type "${type}"`);
  return [];
}
