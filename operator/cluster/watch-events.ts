/** Body of a watch → events, whatever the chunks. */
import { StringDecoder } from 'node:string_decoder';
import { ApiError } from './api-error.ts';
import type { KubeObject } from './kinds.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

/** An object is at most some 1.5 MiB in etcd; JSON and managed fields can double it. */
const MOST_LINE_CHARS = 16 * 1024 ** 2;

/**
 * @param body newline-delimited JSON; a last line without its end was cut and is left out
 * @throws ApiError for an event of type ERROR (410: the version is too old), Error for a line that is no event
 */
export async function* readWatchEvents(body: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_LINE_CHARS)
      throw new Error(`Cannot read a watch event of more than ${MOST_LINE_CHARS} characters`);
    for (const line of lines) {
      if (line !== '') yield parseEvent(line);
    }
  }
}

function parseEvent(line: string): WatchEvent {
  let event: { type?: unknown; object?: unknown };
  try {
    event = JSON.parse(line) as typeof event;
  } catch {
    // The line itself may hold a Secret.
    throw new Error(`Cannot read a watch event of ${line.length} characters: it is no JSON`);
  }
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return event as WatchEvent;
    case 'ERROR': {
      const { code } = (event.object ?? {}) as { code?: unknown };
      throw ApiError.from(typeof code === 'number' ? code : 500, event.object, 'go on watching');
    }
    default:
      throw new Error(`Cannot use a watch event of type "${String(event.type).slice(0, 40)}"`);
  }
}
