/** The official SDK as a reader of streams: what its accumulator makes of bytes, without a network. */
import Anthropic from '@anthropic-ai/sdk';

/** @returns the message that the SDK accumulates. @throws what the SDK throws: on an error event its APIError */
export async function accumulate(bytes: Buffer, chunkBytes = bytes.length): Promise<Anthropic.Message> {
  const client = new Anthropic({
    apiKey: 'test',
    maxRetries: 0,
    fetch: () => Promise.resolve(new Response(inChunks(bytes, chunkBytes), { headers: HEADERS })),
  });
  const stream = client.messages.stream({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'x' }] });
  return await stream.finalMessage();
}

const HEADERS = { 'content-type': 'text/event-stream' };

function inChunks(bytes: Buffer, chunkBytes: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(new Uint8Array(bytes.subarray(at, (at += chunkBytes))));
    },
  });
}
