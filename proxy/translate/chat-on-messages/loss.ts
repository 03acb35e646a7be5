/** What a Chat Completions client can ask or get and the Messages API has no place for: counted by name, or refused. */
import { ProxyError } from '../../errors.ts';
import type { TranslationContext } from '../translator.ts';

/** Parameters that change nothing of what the model says: left out and counted, never refused. */
export const REMARKED_PARAMETERS = [
  'metadata',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'service_tier',
  'store',
] as const;

/** Parameters that change what the client gets: left out and counted, or refused where the resource says so. */
export const LOST_PARAMETERS = [
  'frequency_penalty',
  'logit_bias',
  'logprobs',
  'moderation',
  'presence_penalty',
  'seed',
  'top_logprobs',
  'verbosity',
  'web_search_options',
] as const;

export type Remark =
  | (typeof REMARKED_PARAMETERS)[number]
  /** Who speaks, beside the role. */
  | 'message_name'
  /** What else a message holds, of which nothing is known. */
  | 'message_field'
  | 'image_detail'
  /** Reasoning that came back without the signature that alone makes it worth sending. */
  | 'reasoning_content'
  /** Of the answer: sources that no annotation points to. */
  | 'citations'
  /** Of the answer: calls that the provider made and answered itself. */
  | 'server_tool'
  | 'unknown_block'
  | 'stop_reason';

export type Loss =
  | (typeof LOST_PARAMETERS)[number]
  | 'unknown_field'
  /** Set to another value, or left out where the model takes none. */
  | 'temperature'
  | 'top_p'
  | 'top_k'
  | 'stop'
  | 'reasoning_effort'
  | 'response_format'
  /** The output is asked to keep to it and no longer held to it. */
  | 'schema_constraint'
  | 'tool_choice'
  | 'strict'
  /** A system message further down speaks from the start. */
  | 'system_position';

export function remark(context: TranslationContext, what: Remark): void {
  context.lost(what);
}

/**
 * One part of the request is left out.
 * @param field its path in the client's request
 * @throws ProxyError bad_request that names the field, where losses are refused
 */
export function lose(context: TranslationContext, what: Loss, field: string): void {
  if (context.onLoss === 'refuse')
    throw new ProxyError(
      'bad_request',
      `Change or leave out the field "${field}": this upstream speaks the Messages API, which has no place for it as it is`,
    );
  context.lost(what);
}
