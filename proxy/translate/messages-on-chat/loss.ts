/** What a Messages client can ask or get and Chat Completions has no place for: counted by name, or refused. */
import { ProxyError } from '../../errors.ts';
import type { TranslationContext } from '../translator.ts';

/** Left out without a change of what the model is asked or answers: counted, never refused. */
export type Remark =
  /** Chat upstreams cache by themselves, without marks. */
  | 'cache_control'
  /** Of sources in requests, of text in answers. */
  | 'citations'
  /** Reasoning of earlier turns, where the upstream's form has no place for it. */
  | 'thinking'
  | 'redacted_thinking'
  /** Claude Code's line about itself in the system prompt; it changes with every request and spoils prompt caches. */
  | 'billing_header'
  /** Text that stood behind a tool call moved in front of it. */
  | 'block_order'
  /** Names and descriptions of documents are kept, these hints are not. */
  | 'tool_hints'
  | 'metadata'
  | 'service_tier'
  /** The upstream reported no token counts. */
  | 'usage'
  | 'audio'
  /** The upstream gave a reason to stop that nobody knows. */
  | 'finish_reason'
  /** What an upstream sent for a tool call behind the end of its arguments. */
  | 'tool_arguments';

/** Left out with a change of meaning: counted, or refused where the resource says so. */
export type Loss =
  | 'top_k'
  | 'stop_sequences'
  | 'effort'
  | 'output_format'
  | 'server_tool'
  | 'tool_choice'
  | 'disable_parallel_tool_use'
  | 'strict'
  | 'image'
  | 'document'
  | 'server_tool_block'
  | 'unknown_block'
  | 'unknown_field'
  | 'prefill';

export function remark(context: TranslationContext, what: Remark): void {
  context.lost(what);
}

/**
 * One part of the request is left out.
 * @param path of the field in the client's request
 * @param way what to send instead, as the end of a sentence
 * @throws ProxyError bad_request that names the field, where losses are refused
 */
export function lose(context: TranslationContext, what: Loss, path: string, way: string): void {
  if (context.onLoss === 'refuse')
    throw new ProxyError(
      'bad_request',
      `Change the field "${path}": this upstream speaks Chat Completions, which has no place for it; ${way}`,
    );
  context.lost(what);
}
