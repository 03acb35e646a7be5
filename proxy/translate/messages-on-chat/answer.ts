/** A whole Chat Completions answer → a message. */
import type { JsonObject, JsonValue, TranslationContext } from '../translator.ts';
import { elementsOf, filled, isObject, membersOf, parseJson } from '../wire/json.ts';
import { type ContentBlock, message, UNSIGNED } from '../wire/messages.ts';
import { clientNames } from './function-names.ts';
import { callIds, choiceOf, headOf } from './head.ts';
import { remark } from './loss.ts';
import { joinedProse, type Prose, proseOf, reasoningText } from './reasoning.ts';
import { type Finish, failureOf, finishOf, isCutByLimit, isKnown, messageEnd } from './stop-reason.ts';
import { argumentsText, idOf } from './tool-calls.ts';
import { NO_USAGE, usageOf } from './usage.ts';

/** @throws Error when the body is no Chat Completions answer, or one that its upstream broke off */
export function messagesAnswer(body: JsonObject, context: TranslationContext): JsonObject {
  const choice = choiceOf(body);
  const said = choice?.['message'];
  if (choice === undefined || !isObject(said)) throw new Error('The upstream answered without a message');
  const finish = finishOf(choice) ?? { reason: undefined, stopSequence: undefined };
  if (failureOf(finish) !== undefined) throw new Error(`The upstream broke off its answer: ${finish.reason}`);
  const calls = toolUses(said, finish, context);
  const usage = usageOf(body);
  remarks(said, context);
  if (!isKnown(finish)) remark(context, 'finish_reason');
  if (usage === undefined) remark(context, 'usage');
  const end = messageEnd(finish, calls.length, filled(said['refusal']) !== undefined);
  return message(headOf(body, context), [...prose(said, context), ...calls], end, usage ?? NO_USAGE);
}

function prose(said: JsonObject, context: TranslationContext): ContentBlock[] {
  const reasoning: Prose = { kind: 'thinking', text: reasoningText(said, context.flavor) };
  const refusal: Prose = { kind: 'text', text: filled(said['refusal']) ?? '' };
  return joinedProse([reasoning, ...proseOf(said['content']), refusal]).map(({ kind, text }) =>
    kind === 'text' ? { type: 'text', text } : { type: 'thinking', thinking: text, signature: UNSIGNED },
  );
}

function toolUses(said: JsonObject, finish: Finish, context: TranslationContext): ContentBlock[] {
  const freshId = callIds(context);
  const clientName = clientNames(context);
  const legacy = said['function_call'];
  const calls = [...elementsOf(said['tool_calls']), ...(isObject(legacy) ? [{ function: legacy }] : [])];
  return calls.flatMap((call) => {
    const called = membersOf(membersOf(call)['function']);
    const name = filled(called['name']);
    if (name === undefined) throw new Error('The upstream answered with a tool call that has no name');
    const input = inputOf(called['arguments']);
    if (input !== undefined)
      return [{ type: 'tool_use', id: idOf(membersOf(call)) ?? freshId(), name: clientName(name), input }];
    if (!isCutByLimit(finish))
      throw new Error('The upstream answered with a tool call whose arguments are no JSON object');
    // The limit cut it: the stop reason says that something is missing, half a call would be acted upon.
    remark(context, 'tool_arguments');
    return [];
  });
}

/** @returns undefined when the arguments are no JSON object */
function inputOf(value: JsonValue | undefined): JsonObject | undefined {
  const text = argumentsText(value).trim();
  const input = text === '' ? {} : parseJson(text);
  if (input === null) return {};
  return isObject(input) ? input : undefined;
}

function remarks(said: JsonObject, context: TranslationContext): void {
  if (elementsOf(said['annotations']).length > 0) remark(context, 'citations');
  if (isObject(said['audio'])) remark(context, 'audio');
}
