/**
 * Makes a request to Anthropic itself of one that began elsewhere: a conversation that moves (after a fallback, say) brings back
 * what translation made of another provider's answers. Thinking that nobody signed, ours, and ids of calls with characters that
 * only other providers use (Kimi's `functions.now:0`, which it needs back as they are) would be refused.
 */
import type { CompiledConfig } from '#contract/compiled.ts';
import type { Dialect } from '#contract/dialect.ts';
import { toolUseId, UNSIGNED } from './wire/messages.ts';

const MARK = Buffer.from(UNSIGNED);
const RESULT = Buffer.from('"tool_use_id"');
/** Of a result, which has to follow each call. */
const FOREIGN_ID = /"tool_use_id"\s*:\s*"[^"]*[^"\w-]/;

/** Whether any route of the config can make such blocks; where none can, no request is looked through. */
const translating = new WeakMap<CompiledConfig, boolean>();

/** Whether a client's request may hold such blocks at all. */
export function mayHoldUnsigned(config: CompiledConfig, client: Dialect): boolean {
  return client === 'anthropic' && translates(config);
}

/** @returns the same buffer when there is nothing to take out */
export function withoutUnsigned(body: Buffer): Buffer {
  if (!body.includes(MARK) && !holdsForeignIds(body)) return body;
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

function holdsForeignIds(body: Buffer): boolean {
  return body.includes(RESULT) && FOREIGN_ID.test(body.toString('latin1'));
}

interface Block {
  readonly type?: unknown;
  readonly signature?: unknown;
  readonly id?: unknown;
  readonly tool_use_id?: unknown;
}

function strip(message: unknown): unknown[] {
  const { content } = message as { content?: unknown };
  if (!Array.isArray(content) || content.length === 0) return [message];
  const kept = content
    .filter((block: Block | null) => block?.type !== 'thinking' || block.signature !== UNSIGNED)
    .map((block: Block | null) => (block === null ? block : withOwnIds(block)));
  // A message without content would be refused as well.
  return kept.length === 0 ? [] : [{ ...(message as object), content: kept }];
}

function withOwnIds(block: Block): Block {
  const { type, id, tool_use_id: of } = block;
  if (type === 'tool_use' && typeof id === 'string') return { ...block, id: toolUseId(id) };
  return type === 'tool_result' && typeof of === 'string' ? { ...block, tool_use_id: toolUseId(of) } : block;
}
