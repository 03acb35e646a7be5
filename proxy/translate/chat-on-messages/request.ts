/** The request: OpenAI's Chat Completions → Anthropic's Messages. */
import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue, TranslatedRequest, TranslationContext } from '../translator.ts';
import { isObject, requireObject } from '../wire/json.ts';
import { conversationOf } from './conversation.ts';
import { badField, given, isList, textOf } from './field.ts';
import { LOST_PARAMETERS, lose, REMARKED_PARAMETERS, remark } from './loss.ts';
import { type ModelFacts, modelFacts } from './model.ts';
import { outputSchema } from './output-schema.ts';
import { thinkingOf } from './reasoning.ts';
import { maxTokensOf, samplingOf, stopOf } from './sampling.ts';
import { toolsOf } from './tools.ts';

const API_VERSION = '2023-06-01';
/** https://platform.claude.com/docs/en/api/messages/create: the most that `metadata.user_id` takes. */
const MOST_USER_CHARS = 256;

/** Parameters that are carried over, or that only the answer's form depends on. */
const CARRIED = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop',
  'n',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'functions',
  'function_call',
  'user',
  'reasoning_effort',
  'thinking',
  'response_format',
  'modalities',
  'audio',
]);
/** Values of lost parameters that say what would be so anyway. */
const SAYS_NOTHING: Readonly<Record<string, JsonValue>> = {
  frequency_penalty: 0,
  presence_penalty: 0,
  logprobs: false,
  top_logprobs: 0,
  store: false,
  service_tier: 'auto',
  verbosity: 'medium',
};

/** @throws ProxyError bad_request that names the field which cannot be carried over */
export function messagesRequest(body: JsonObject, context: TranslationContext): TranslatedRequest {
  refuseOthers(body);
  countLost(body, context);
  const name = context.model ?? textOf(body['model']);
  if (name === undefined) throw badField('model', 'name a model');
  const model = modelFacts(name);
  const { members, called, unsigned } = conversationOf(body, context);
  const tools = toolsOf(body, called, model, context);
  const maxTokens = maxTokensOf(body, context);
  const { thinking, effort } = thinkingOf(body, { model, maxTokens, forced: tools.forced, unsigned }, context);
  const thinks = thinking !== undefined && thinking['type'] !== 'disabled';
  const user = textOf(given(body, 'user'));
  return {
    path: '/v1/messages',
    headers: ['anthropic-version', API_VERSION],
    body: {
      model: name,
      max_tokens: maxTokens,
      ...members,
      ...tools.members,
      ...samplingOf(body, model, thinks, context),
      ...stopOf(body, context),
      ...(thinking !== undefined && { thinking }),
      ...outputConfig(body, effort, model, context),
      ...(user !== undefined && { metadata: { user_id: userId(user) } }),
      ...(body['stream'] === true && { stream: true }),
    },
  };
}

/** The provider needs to tell users apart, not to read their ids: of one that is too long the hash does that as well. */
function userId(user: string): string {
  return user.length <= MOST_USER_CHARS ? user : createHash('sha256').update(user).digest('hex');
}

function refuseOthers(body: JsonObject): void {
  const n = given(body, 'n');
  if (n !== undefined && n !== 1) throw badField('n', 'this upstream gives one answer a request; leave "n" out');
  const modalities = given(body, 'modalities');
  const speaks = isList(modalities) && modalities.some((modality) => modality !== 'text');
  if (speaks) throw badField('modalities', 'this upstream answers in text only');
}

function countLost(body: JsonObject, context: TranslationContext): void {
  for (const [name, value] of Object.entries(body)) {
    if (CARRIED.has(name) || value === null || value === SAYS_NOTHING[name] || isEmpty(value)) continue;
    const remarked = REMARKED_PARAMETERS.find((parameter) => parameter === name);
    if (remarked === undefined)
      lose(context, LOST_PARAMETERS.find((parameter) => parameter === name) ?? 'unknown_field', name);
    else remark(context, remarked);
  }
}

function isEmpty(value: JsonValue): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Effort and schema of the output. */
function outputConfig(
  body: JsonObject,
  effort: string | undefined,
  model: ModelFacts,
  context: TranslationContext,
): JsonObject {
  const format = formatOf(given(body, 'response_format'), model, context);
  if (effort === undefined && format === undefined) return {};
  return { output_config: { ...(effort !== undefined && { effort }), ...(format !== undefined && { format }) } };
}

function formatOf(
  value: JsonValue | undefined,
  model: ModelFacts,
  context: TranslationContext,
): JsonObject | undefined {
  if (value === undefined) return undefined;
  const { type, json_schema: described } = requireObject(value, 'response_format');
  if (type === 'text') return undefined;
  const schema = type === 'json_schema' && isObject(described) ? described['schema'] : undefined;
  // JSON of any shape cannot be asked for: the API wants a closed schema.
  if (isObject(schema) && model.schemas)
    return { type: 'json_schema', schema: outputSchema(schema, 'response_format.json_schema.schema', context) };
  lose(context, 'response_format', 'response_format');
  return undefined;
}
