/**
 * Takes thinking that nobody signed out of a request to Anthropic itself, which would refuse it. Such blocks are ours: translated
 * reasoning of another provider, which comes back with the conversation when it moves (after a fallback, say).
 */
import type { CompiledConfig } from '#contract/compiled.ts';
import type { Dialect } from '#contract/dialect.ts';
import { UNSIGNED } from './wire/messages.ts';

const MARK = Buffer.from(UNSIGNED);

/** Whether any route of the config can make such blocks; where none can, no request is looked through. */
const translating = new WeakMap<CompiledConfig, boolean>();

/** Whether a client's request may hold such blocks at all. */
export function mayHoldUnsigned(config: CompiledConfig, client: Dialect): boolean {
  return client === 'anthropic' && translates(config);
}

/** @returns the same buffer when there is nothing to take out */
export function withoutUnsigned(body: Buffer): Buffer {
  if (!body.includes(MARK)) return body;
  try {
    const request = JSON.parse(body.toString('utf8')) as { messages?: unknown };
    if (!Array.isArray(request.messages)) return body;
    return Buffer.from(JSON.stringify({ ...request, messages: request.messages.flatMap(strip) }));
  } catch {
    // No JSON: the provider's own refusal is the better answer.
    return body;
  }
}

function translates(config: CompiledConfig): boolean {
  let known = translating.get(config);
  if (known === undefined) {
    const dialects = new Set(config.upstreams.flatMap((u) => (u.kind === 'valid' ? [u.dialect] : [])));
    known = dialects.has('anthropic') && dialects.has('openai');
    translating.set(config, known);
  }
  return known;
}

function strip(message: unknown): unknown[] {
  const { content } = message as { content?: unknown };
  if (!Array.isArray(content)) return [message];
  const kept = content.filter((block: { type?: unknown; signature?: unknown } | null) => {
    return block?.type !== 'thinking' || block.signature !== UNSIGNED;
  });
  if (kept.length === content.length) return [message];
  // A message without content would be refused as well.
  return kept.length === 0 ? [] : [{ ...(message as object), content: kept }];
}
