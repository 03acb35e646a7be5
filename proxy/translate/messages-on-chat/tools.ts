/** Tool definitions and the choice among them. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { filled, isObject, refuse, requireList, requireName, requireObject, requireString } from '../wire/json.ts';
import { CLIENT_TOOLS } from './client-tools.ts';
import { functionName } from './function-names.ts';
import { lose, remark } from './loss.ts';
import { fitsStrict } from './strict-schema.ts';

/** @returns the fields of a Chat request that say which tools there are and how to choose; none without tools */
export function toolFields(body: JsonObject, context: TranslationContext): JsonObject {
  if (body['tools'] === undefined || body['tools'] === null) return {};
  const tools = requireList(body['tools'], 'tools').flatMap((tool, at) => {
    const path = `tools[${at}]`;
    return functionTool(requireObject(tool, path), path, context);
  });
  // Without tools a choice among them is refused.
  return tools.length === 0 ? {} : { tools, ...choiceFields(body['tool_choice'], tools, context) };
}

function functionTool(tool: JsonObject, path: string, context: TranslationContext): JsonObject[] {
  const described = describedTool(tool, path);
  if (described === undefined) {
    const type = filled(tool['type']) ?? '';
    lose(context, 'server_tool', path, `leave out the tool of type "${type}", or describe one of your own`);
    return [];
  }
  if (isObject(tool['cache_control'])) remark(context, 'cache_control');
  if (['defer_loading', 'input_examples', 'allowed_callers', 'eager_input_streaming'].some((hint) => tool[hint]))
    remark(context, 'tool_hints');
  const parameters = schemaOf(requireObject(described['input_schema'], `${path}.input_schema`));
  const description = filled(described['description']);
  const called = {
    name: functionName(requireName(tool['name'], `${path}.name`), context.flavor),
    ...(description !== undefined && { description }),
    parameters,
    ...strictField(tool, parameters, path, context),
  };
  return [{ type: 'function', function: called }];
}

/** @returns what says what the tool is for and takes: the client's own words, or ours for Anthropic's; undefined for tools that run there */
function describedTool(tool: JsonObject, path: string): JsonObject | undefined {
  const { type } = tool;
  if (type === undefined || type === null || type === 'custom') return tool;
  return CLIENT_TOOLS.get(requireString(type, `${path}.type`));
}

/** OpenAI refuses an object's schema without `properties`, which Anthropic takes for a tool without arguments. */
function schemaOf(schema: JsonObject): JsonObject {
  return schema['type'] === 'object' && schema['properties'] === undefined ? { ...schema, properties: {} } : schema;
}

function strictField(tool: JsonObject, schema: JsonObject, path: string, context: TranslationContext): JsonObject {
  if (tool['strict'] !== true) return {};
  if (context.flavor.strictTools && fitsStrict(schema)) return { strict: true };
  lose(context, 'strict', `${path}.strict`, 'leave it out, or require every property and allow no others');
  return {};
}

function choiceFields(
  value: JsonValue | undefined,
  tools: readonly JsonObject[],
  context: TranslationContext,
): JsonObject {
  if (value === undefined || value === null) return {};
  const choice = requireObject(value, 'tool_choice');
  const field = choiceField(choice, tools, context);
  return { ...(field !== undefined && { tool_choice: field }), ...parallelField(choice, context) };
}

function choiceField(
  choice: JsonObject,
  tools: readonly JsonObject[],
  context: TranslationContext,
): JsonValue | undefined {
  const told = toldChoice(choice, tools, context);
  if (told === undefined || told === 'auto' || context.flavor.toolChoice) return told;
  lose(context, 'tool_choice', 'tool_choice', 'leave it out, this upstream chooses itself');
  return undefined;
}

function toldChoice(
  choice: JsonObject,
  tools: readonly JsonObject[],
  context: TranslationContext,
): JsonValue | undefined {
  switch (choice['type']) {
    case 'auto':
      return 'auto';
    case 'none':
      return 'none';
    case 'any':
      return context.flavor.anyTool;
    case 'tool': {
      const name = functionName(requireName(choice['name'], 'tool_choice.name'), context.flavor);
      if (tools.some((tool) => isObject(tool['function']) && tool['function']['name'] === name))
        return { type: 'function', function: { name } };
      lose(context, 'tool_choice', 'tool_choice.name', 'name a tool that is described by a schema');
      return undefined;
    }
    default:
      return refuse('tool_choice.type', '"auto", "any", "tool" or "none"');
  }
}

function parallelField(choice: JsonObject, context: TranslationContext): JsonObject {
  if (choice['disable_parallel_tool_use'] !== true) return {};
  if (context.flavor.parallelToolCalls) return { parallel_tool_calls: false };
  lose(context, 'disable_parallel_tool_use', 'tool_choice.disable_parallel_tool_use', 'leave it out');
  return {};
}
