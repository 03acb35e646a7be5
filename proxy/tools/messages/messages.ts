/** The Messages API as the loop needs it. */
import { addUsage, count } from '../add-usage.ts';
import { type IsOurs, type LoopDialect, sseText, type WholeTurn } from '../dialect.ts';
import { type Json, listOf, membersOf } from '../tool.ts';
import { clientTools, forbidsTools, nextRequest, withTools } from './request.ts';
import { restoreCalls, shownCall, shownResult } from './shown-calls.ts';
import { MessagesStream } from './stream.ts';
import { finishTurn } from './turn.ts';

export const messages: LoopDialect = {
  restore: restoreCalls,
  clientTools,
  forbidsTools,
  withTools,
  nextRequest,
  openStream: (options) => new MessagesStream(options),
  readAnswer: (answer, isOurs) => {
    if (!Array.isArray(answer['content'])) throw new Error('The answer is no message');
    const usage = membersOf(answer['usage']);
    return finishTurn(listOf(answer['content']).map(membersOf), answer['stop_reason'], usage, isOurs);
  },
  assemble,
  tokens: (usage) =>
    count(usage?.['input_tokens']) +
    count(usage?.['output_tokens']) +
    count(usage?.['cache_creation_input_tokens']) +
    count(usage?.['cache_read_input_tokens']),
  errorEvent: (body) => sseText(body, 'error'),
  keepAlive: sseText('{"type":"ping"}', 'ping'),
};

function assemble(turns: readonly WholeTurn[], isOurs: IsOurs): Json {
  const answers = turns.map(({ answer }) => answer);
  const [first = {}] = answers;
  const content = turns.flatMap(({ answer, shown }) => [
    ...listOf(answer['content']).map(membersOf),
    ...shown.map(({ call }) => shownCall(call)),
    ...shown.map(({ call, result }) => shownResult(call, result)),
  ]);
  const usage = answers.reduce<Json | undefined>((sum, answer) => addUsage(sum, membersOf(answer['usage'])), undefined);
  const visible = content.filter(({ type, name }) => type !== 'tool_use' || !isOurs(String(name)));
  const { id: _id, model: _model, ...last } = answers.at(-1) ?? {};
  return { ...first, ...last, content: visible, usage };
}
