/** One streamed answer by each official SDK, configured by nothing but the environment. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

export interface Seen {
  readonly sdk: string;
  readonly events: number;
  readonly text: string;
  readonly stopReason: string | null;
  readonly firstEventMs: number;
  readonly totalMs: number;
}

type OnFirstEvent = () => Promise<void>;

/** Streams one message through the Anthropic SDK, whose accumulator checks the event sequence as well. */
export async function streamAnthropic(model: string, prompt: string, onFirstEvent: OnFirstEvent): Promise<Seen> {
  const startedAt = performance.now();
  const stream = new Anthropic({ maxRetries: 0 }).messages.stream({
    model,
    max_tokens: 1024,
    messages: [{ role: 'user', content: prompt }],
  });
  let events = 0;
  let firstEventMs = 0;
  for await (const _event of stream) {
    events += 1;
    if (events === 1) {
      firstEventMs = performance.now() - startedAt;
      await onFirstEvent();
    }
  }
  const message = await stream.finalMessage();
  const text = message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  return {
    sdk: 'anthropic',
    events,
    text,
    stopReason: message.stop_reason,
    firstEventMs,
    totalMs: performance.now() - startedAt,
  };
}

/** Streams one chat completion through the OpenAI SDK. */
export async function streamOpenai(model: string, prompt: string, onFirstEvent: OnFirstEvent): Promise<Seen> {
  const startedAt = performance.now();
  const stream = await new OpenAI({ maxRetries: 0 }).chat.completions.create({
    model,
    stream: true,
    messages: [{ role: 'user', content: prompt }],
  });
  let events = 0;
  let firstEventMs = 0;
  let text = '';
  let stopReason: string | null = null;
  for await (const chunk of stream) {
    events += 1;
    if (events === 1) {
      firstEventMs = performance.now() - startedAt;
      await onFirstEvent();
    }
    text += chunk.choices[0]?.delta.content ?? '';
    stopReason = chunk.choices[0]?.finish_reason ?? stopReason;
  }
  return { sdk: 'openai', events, text, stopReason, firstEventMs, totalMs: performance.now() - startedAt };
}
