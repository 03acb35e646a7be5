/** Chat Completions as the loop needs it. */
import { addUsage, count } from '../add-usage.ts';
import { type IsOurs, type LoopDialect, sseText, type WholeTurn } from '../dialect.ts';
import { type Json, listOf, membersOf } from '../tool.ts';
import { clientTools, forbidsTools, nextRequest, withTools } from './request.ts';
import { ChatStream } from './stream.ts';
import { finishTurn, THINKING_FIELDS } from './turn.ts';

export const chat: LoopDialect = {
  restore: (body) => body,
  clientTools,
  forbidsTools,
  withTools,
  nextRequest,
  openStream: (options) => new ChatStream(options),
  readAnswer: (answer, isOurs) => {
    const choice = membersOf(listOf(answer['choices'])[0]);
    if (typeof choice['message'] !== 'object') throw new Error('The answer is no completion');
    const usage = answer['usage'] ? membersOf(answer['usage']) : undefined;
    return finishTurn(membersOf(choice['message']), choice['finish_reason'], usage, isOurs);
  },
  assemble,
  tokens: (usage) =>
    count(usage?.['total_tokens']) || count(usage?.['prompt_tokens']) + count(usage?.['completion_tokens']),
  errorEvent: (body) => sseText(body),
  keepAlive: ': keep-alive\n\n',
};

function assemble(turns: readonly WholeTurn[], isOurs: IsOurs): Json {
  const answers = turns.map(({ answer }) => answer);
  const [first = {}] = answers;
  const messages = answers.map((answer) => membersOf(choiceOf(answer)['message']));
  const usage = answers.reduce<Json | undefined>((sum, answer) => addUsage(sum, membersOf(answer['usage'])), undefined);
  const last = choiceOf(answers.at(-1) ?? {});
  const { tool_calls: calls, ...message } = membersOf(last['message']);
  const shown = listOf(calls).filter((call) => isShown(membersOf(call), isOurs));
  const joined = {
    ...message,
    content: joinTexts(messages, 'content'),
    ...thinkingOf(messages),
    ...(shown.length > 0 && { tool_calls: shown }),
  };
  return { ...first, choices: [{ ...last, message: joined }], ...(usage && { usage }) };
}

function choiceOf(answer: Json): Json {
  return membersOf(listOf(answer['choices'])[0]);
}

function isShown({ type, function: called }: Json, isOurs: IsOurs): boolean {
  return type === 'custom' || !isOurs(String(membersOf(called)['name']));
}

function joinTexts(messages: readonly Json[], name: string): string | null {
  const texts = messages.map((message) => message[name]).filter((text) => typeof text === 'string' && text !== '');
  return texts.length === 0 ? null : texts.join('\n\n');
}

function thinkingOf(messages: readonly Json[]): Json {
  const fields = THINKING_FIELDS.map((name) => [name, joinTexts(messages, name)] as const);
  return Object.fromEntries(fields.filter(([, text]) => text !== null));
}
