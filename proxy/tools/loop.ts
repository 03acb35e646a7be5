/**
 * The tool loop of one exchange: offers our tools to the model, executes what it calls, asks again, and gives the client one
 * answer. Works in the client's own dialect; who sends a turn, and to which upstream, is the caller's business.
 */
import type { CompiledToolLoop } from '#contract/compiled-tool-loop.ts';
import type { Dialect } from '#contract/dialect.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { isEventStream } from '../dispatch/headers.ts';
import { chat } from './chat/chat.ts';
import type { CheckedTool } from './checked-tool.ts';
import type { IsOurs, LoopDialect } from './dialect.ts';
import { messages } from './messages/messages.ts';
import { Rounds, type RoundsOptions, type ToolLoopMeters } from './rounds.ts';
import { StreamLoop } from './stream-loop.ts';
import { withoutProgress } from './strip-progress.ts';
import type { Json } from './tool.ts';
import type { Toolbox } from './toolbox.ts';
import { wholeLoop } from './whole-loop.ts';

/** Forms in which a loop runs. */
export type LoopForm = 'messages' | 'chat';

export interface ToolLoopOptions extends Pick<RoundsOptions, 'turn' | 'called' | 'overBudget' | 'signal'> {
  readonly form: LoopForm;
  /** The client's request. */
  readonly body: Json;
  readonly toolLoop: CompiledToolLoop;
  readonly toolbox: Pick<Toolbox, 'tools'>;
  readonly meters: ToolLoopMeters;
  /** The `request-id` of our own errors. */
  readonly exchangeId: string;
}

const DIALECTS: Readonly<Record<LoopForm, { readonly loop: LoopDialect; readonly client: Dialect }>> = {
  messages: { loop: messages, client: 'anthropic' },
  chat: { loop: chat, client: 'openai' },
};

/** The form in which a loop serves this path; undefined: none does. @param path without query */
export function loopForm(path: string): LoopForm | undefined {
  if (path === '/v1/messages') return 'messages';
  return path === '/v1/chat/completions' ? 'chat' : undefined;
}

/**
 * Resolves with the client's answer as soon as the first turn has a head: a refusal as it is, a stream that fills while the loop
 * goes on, or, for a client that waits, the whole answer at the loop's end.
 * @throws what the first turn throws; ProxyError bad_request, tool_loop; the signal's reason
 */
export async function runToolLoop(options: ToolLoopOptions): Promise<UpstreamAnswer> {
  const { loop: dialect, client: clientDialect } = DIALECTS[options.form];
  const { toolLoop, meters, exchangeId } = options;
  // Progress first: a block of it may stand between a shown call and its result.
  const stripped = dialect.restore(withoutProgress(options.body));
  // Chat Completions has no form for calls that are not the client's.
  const showsCalls = toolLoop.calls === 'shown' && options.form === 'messages';
  const own = dialect.clientTools(stripped);
  const tools = dialect.forbidsTools(stripped) ? NO_TOOLS : await offeredTools(options, own);
  const isOurs: IsOurs = (name) => tools.size > 0 && (tools.has(name) || !own.has(name));
  const body = dialect.withTools(stripped, [...tools.values()], { countTokens: toolLoop.maxTokens !== undefined });
  const { signal, turn, called, overBudget } = options;
  const rounds = new Rounds(body, { showsCalls, toolLoop, tools, dialect, meters, signal, turn, called, overBudget });
  let first: UpstreamAnswer;
  try {
    first = await rounds.turn();
  } catch (error) {
    rounds.close(signal.aborted ? 'cancelled' : 'upstream');
    throw error;
  }
  if (first.status >= 300) {
    rounds.close('upstream');
    return first;
  }
  if (!isEventStream(first.rawHeaders)) return wholeLoop(first, { rounds, dialect, clientDialect, isOurs, showsCalls });
  const stream = { isOurs, progress: toolLoop.progress, body: stripped };
  return new StreamLoop(first, { rounds, dialect, clientDialect, exchangeId, showsCalls, stream }).start();
}

const NO_TOOLS: ReadonlyMap<string, CheckedTool> = new Map();

/** What the client has under the same name stays the client's. */
async function offeredTools(
  { toolbox, meters, signal }: ToolLoopOptions,
  own: ReadonlySet<string>,
): Promise<ReadonlyMap<string, CheckedTool>> {
  const tools = new Map(await toolbox.tools(signal));
  for (const name of own) if (tools.delete(name)) meters.toolShadowed(name);
  return tools;
}
