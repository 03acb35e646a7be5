/** Events that say one thing only, a piece more of a block: the pattern of the quick path (quick-path.ts). */
import type { Piece } from '../quick-path.ts';
import type { SseEvent } from '../sse.ts';
import type { JsonObject } from '../translator.ts';
import { filled, membersOf, parseObject } from '../wire/json.ts';

/** @returns undefined for every other event */
export function pieceOf({ name, data }: SseEvent): Piece | undefined {
  const event = parseObject(data) ?? {};
  const { index, type = name } = event;
  if (type !== 'content_block_delta' || typeof index !== 'number') return undefined;
  const said = saidIn(membersOf(event['delta']));
  return said && { ...said, index };
}

function saidIn(delta: JsonObject): Omit<Piece, 'index'> | undefined {
  switch (delta['type']) {
    case 'text_delta':
      return saying('text', filled(delta['text']));
    case 'thinking_delta':
      return saying('thinking', filled(delta['thinking']));
    case 'input_json_delta':
      return saying('call', filled(delta['partial_json']));
    default:
      return undefined;
  }
}

function saying(kind: Piece['kind'], text: string | undefined): Omit<Piece, 'index'> | undefined {
  return text === undefined ? undefined : { kind, text };
}
