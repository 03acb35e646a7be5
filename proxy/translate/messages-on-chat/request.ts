/** A Messages request → a Chat Completions request. */
import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { filled, isObject, membersOf, refuse, requireList, requireObject, requireString } from '../wire/json.ts';
import { conversation } from './conversation.ts';
import { lose, remark } from './loss.ts';
import { reasoningFields } from './reasoning.ts';
import { fitsStrict } from './strict-schema.ts';
import { toolFields } from './tools.ts';

/** Fields that are translated, or that change nothing for the model. */
const KNOWN = new Set([
  'model',
  'messages',
  'system',
  'max_tokens',
  'stream',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'output_format',
  'metadata',
  'service_tier',
  'cache_control',
]);

/** @throws ProxyError bad_request that names the field which cannot be read or carried */
export function chatRequest(body: JsonObject, context: TranslationContext): JsonObject {
  loseUnknown(body, context);
  if (isObject(body['cache_control'])) remark(context, 'cache_control');
  if (filled(body['service_tier']) !== undefined && body['service_tier'] !== 'auto') remark(context, 'service_tier');
  return {
    model: context.model ?? requireString(body['model'], 'model'),
    messages: conversation(body, context),
    ...limitFields(body, context),
    ...samplingFields(body, context),
    ...stopFields(body['stop_sequences'], context),
    ...toolFields(body, context),
    ...reasoningFields(body, context),
    ...formatFields(body, context),
    ...userFields(body['metadata'], context),
    ...streamFields(body['stream'], context),
  };
}

function loseUnknown(body: JsonObject, context: TranslationContext): void {
  for (const [name, value] of Object.entries(body))
    if (!KNOWN.has(name) && value !== null) lose(context, 'unknown_field', name, 'leave it out');
}

/** No limit asked for, none sent: unlike Messages, Chat Completions does not require one. */
function limitFields(body: JsonObject, { flavor }: TranslationContext): JsonObject {
  const most = body['max_tokens'];
  if (most === undefined || most === null) return {};
  return { [flavor.maxTokensField]: requireNumber(most, 'max_tokens') };
}

function samplingFields(body: JsonObject, context: TranslationContext): JsonObject {
  const fields: Record<string, JsonValue> = {};
  for (const name of ['temperature', 'top_p', 'top_k']) {
    const value = body[name];
    if (value === undefined || value === null) continue;
    if (name === 'top_k' && !context.flavor.topK) lose(context, 'top_k', 'top_k', 'leave it out, or use "top_p"');
    else fields[name] = requireNumber(value, name);
  }
  return fields;
}

function stopFields(value: JsonValue | undefined, context: TranslationContext): JsonObject {
  if (value === undefined || value === null) return {};
  const stops = requireList(value, 'stop_sequences').map((stop, at) => requireString(stop, `stop_sequences[${at}]`));
  const { maxStops } = context.flavor;
  if (stops.length > maxStops)
    lose(context, 'stop_sequences', `stop_sequences[${maxStops}]`, `send at most ${maxStops} stop sequences`);
  return stops.length > 0 ? { stop: stops.slice(0, maxStops) } : {};
}

/** Structured output; `output_format` is its name in the beta. */
function formatFields(body: JsonObject, context: TranslationContext): JsonObject {
  const path = isObject(body['output_format']) ? 'output_format' : 'output_config.format';
  const format = body['output_format'] ?? membersOf(body['output_config'])['format'];
  if (format === undefined || format === null) return {};
  const { type, schema } = requireObject(format, path);
  if (type === 'json_schema' && context.flavor.jsonSchema) {
    const wanted = requireObject(schema, `${path}.schema`);
    const json_schema = { name: 'output', schema: wanted, strict: fitsStrict(wanted) };
    return { response_format: { type: 'json_schema', json_schema } };
  }
  lose(context, 'output_format', path, 'leave it out and ask for the form in the prompt');
  return {};
}

function userFields(metadata: JsonValue | undefined, context: TranslationContext): JsonObject {
  if (metadata === undefined || metadata === null) return {};
  const { user_id: user, ...others } = requireObject(metadata, 'metadata');
  if (Object.keys(others).length > 0) remark(context, 'metadata');
  const id = filled(user);
  if (id === undefined) return {};
  const most = context.flavor.userChars;
  if (most === 0) remark(context, 'metadata');
  // The provider needs to tell users apart, not to read their ids; the hash does that as well.
  return most === 0 ? {} : { user: id.length <= most ? id : createHash('sha256').update(id).digest('hex') };
}

/** Usage in a stream comes only when it is asked for. */
function streamFields(stream: JsonValue | undefined, { flavor }: TranslationContext): JsonObject {
  if (stream !== true) return {};
  return { stream: true, ...(flavor.streamOptions && { stream_options: { include_usage: true } }) };
}

function requireNumber(value: JsonValue, path: string): number {
  return typeof value === 'number' ? value : refuse(path, 'a number');
}
