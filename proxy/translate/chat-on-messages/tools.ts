/** Tools and the choice among them: OpenAI's functions → Anthropic's client tools. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { isObject, requireList, requireObject } from '../wire/json.ts';
import { cacheControl } from './content.ts';
import { badField, given, isList, textAt, textOf } from './field.ts';
import { inputSchema } from './input-schema.ts';
import { lose } from './loss.ts';
import type { ModelFacts } from './model.ts';
import { outputSchema } from './output-schema.ts';

export interface Tools {
  /** Members `tools` and `tool_choice` of a Messages request; empty when there is nothing to call. */
  readonly members: JsonObject;
  /** A call is forced. */
  readonly forced: boolean;
}

type Choice = { readonly type: 'auto' | 'any' | 'none' } | { readonly type: 'tool'; readonly name: string };

/**
 * @param called names of the tools that the conversation's earlier calls used: the API wants them declared
 * @throws ProxyError bad_request that names the field
 */
export function toolsOf(
  body: JsonObject,
  called: ReadonlySet<string>,
  model: ModelFacts,
  context: TranslationContext,
): Tools {
  const declared = declaredTools(body, model, context);
  const { choice, only } = choiceOf(body, declared.length > 0);
  const tools = only === undefined ? declared : declared.filter(({ name }) => only.has(textOf(name) ?? ''));
  if (tools.length === 0) return withoutTools(called);
  // A client of the form before tools can take one call a turn.
  const single = given(body, 'parallel_tool_calls') === false || given(body, 'tools') === undefined;
  const taken = takenChoice(choice, model, context);
  const forced = taken?.type === 'any' || taken?.type === 'tool';
  const limit = single && taken?.type !== 'none' ? { disable_parallel_tool_use: true } : {};
  if (taken === undefined && !single) return { members: { tools }, forced };
  return { members: { tools, tool_choice: { ...(taken ?? { type: 'auto' }), ...limit } }, forced };
}

/** No tool is offered now; those called before are declared, and may not be called. */
function withoutTools(called: ReadonlySet<string>): Tools {
  if (called.size === 0) return { members: {}, forced: false };
  const tools = [...called].map((name) => ({ name, input_schema: { type: 'object' } }));
  return { members: { tools, tool_choice: { type: 'none' } }, forced: false };
}

function declaredTools(body: JsonObject, model: ModelFacts, context: TranslationContext): JsonObject[] {
  const tools = given(body, 'tools');
  if (tools !== undefined)
    return requireList(tools, 'tools').map((tool, index) => functionTool(tool, `tools[${index}]`, model, context));
  const functions = given(body, 'functions');
  if (functions === undefined) return [];
  return requireList(functions, 'functions').map((declared, index) => {
    const field = `functions[${index}]`;
    return toolOf(requireObject(declared, field), field, model, context);
  });
}

function functionTool(value: JsonValue, field: string, model: ModelFacts, context: TranslationContext): JsonObject {
  const tool = requireObject(value, field);
  if (tool['type'] !== 'function')
    throw badField(`${field}.type`, 'only "function" tools can be sent to this upstream');
  const declared = requireObject(tool['function'], `${field}.function`);
  return { ...toolOf(declared, `${field}.function`, model, context), ...cacheControl(tool) };
}

function toolOf(declared: JsonObject, field: string, model: ModelFacts, context: TranslationContext): JsonObject {
  const description = textOf(given(declared, 'description'));
  const strict = given(declared, 'strict') === true;
  if (strict && !model.schemas) lose(context, 'strict', `${field}.strict`);
  const schema = inputSchema(declared, `${field}.parameters`, context);
  return {
    name: textAt(declared['name'], `${field}.name`),
    ...(description !== undefined && { description }),
    ...(strict && model.schemas
      ? { input_schema: outputSchema(schema, `${field}.parameters`, context), strict }
      : { input_schema: schema }),
    ...cacheControl(declared),
  };
}

/** What the client chose, and the names that it allows when it allows some only. */
function choiceOf(body: JsonObject, hasTools: boolean): { choice?: Choice; only?: ReadonlySet<string> } {
  const [field, value] =
    given(body, 'tool_choice') === undefined
      ? ['function_call', given(body, 'function_call')]
      : ['tool_choice', given(body, 'tool_choice')];
  if (value === undefined || value === 'auto')
    return value === undefined || !hasTools ? {} : { choice: { type: 'auto' } };
  if (value === 'none') return { choice: { type: 'none' } };
  if (!hasTools) throw badField(field, 'declare in "tools" what is to be called');
  if (value === 'required') return { choice: { type: 'any' } };
  const chosen = requireObject(value, field);
  if (chosen['type'] === 'allowed_tools') return allowedTools(chosen, field);
  if (chosen['type'] !== undefined && chosen['type'] !== 'function')
    throw badField(`${field}.type`, 'only "function" and "allowed_tools" can be sent to this upstream');
  const named = isObject(chosen['function']) ? chosen['function'] : chosen;
  return { choice: { type: 'tool', name: textAt(named['name'], `${field}.function.name`) } };
}

function allowedTools(chosen: JsonObject, field: string): { choice: Choice; only: ReadonlySet<string> } {
  const allowed = isObject(chosen['allowed_tools']) ? chosen['allowed_tools'] : chosen;
  const tools = isList(allowed['tools']) ? allowed['tools'] : [];
  const only = new Set(
    tools.map((tool, index) => {
      const at = `${field}.allowed_tools.tools[${index}]`;
      return textAt(
        requireObject(requireObject(tool, at)['function'], `${at}.function`)['name'],
        `${at}.function.name`,
      );
    }),
  );
  return { choice: { type: allowed['mode'] === 'required' ? 'any' : 'auto' }, only };
}

/** Models that always think refuse to be forced. */
function takenChoice(choice: Choice | undefined, model: ModelFacts, context: TranslationContext): Choice | undefined {
  if (choice === undefined || model.forcedCalls || choice.type === 'auto' || choice.type === 'none') return choice;
  lose(context, 'tool_choice', 'tool_choice');
  return { type: 'auto' };
}
