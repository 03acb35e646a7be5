/** A matched request with a tool loop, as the pipeline hands it over: its body is read whole, each turn goes back to the pipeline as a request of its own. */
import type { CompiledToolLoop } from '#contract/compiled-tool-loop.ts';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { ProxyError } from '../errors.ts';
import { WHOLE_BODY_BYTES } from '../route/long-bodies.ts';
import type { MatchedRequest } from '../route/read-request.ts';
import { WholeBody } from '../route/whole-body.ts';
import { type LoopForm, loopForm, runToolLoop, type ToolLoopOptions } from './loop.ts';
import { MOST_LEVELS, nestsTooDeep } from './nesting.ts';
import type { ToolLoopMeters } from './rounds.ts';
import type { Json, ToolCallReport } from './tool.ts';
import type { Toolboxes } from './toolboxes.ts';

export interface AskedLoop {
  readonly toolLoop: CompiledToolLoop;
  readonly form: LoopForm;
}

export interface ToolLoopServices {
  readonly toolboxes: Pick<Toolboxes, 'get'>;
  readonly meters: ToolLoopMeters;
  /** File name → bare credential, of the snapshot that serves the exchange. */
  readonly credentials: ReadonlyMap<string, string>;
  /** One turn: the request as it is given, through choice, dispatch and translation, to an answer in the client's dialect. */
  turn(request: MatchedRequest): Promise<UpstreamAnswer>;
  /** A call is over: for the record. */
  called?: ((report: ToolCallReport) => void) | undefined;
  overBudget?: ToolLoopOptions['overBudget'];
}

/** @returns undefined where the request passes without a loop */
export function toolLoopOf({ incoming, route }: MatchedRequest): AskedLoop | undefined {
  const form = incoming.head.method === 'POST' ? loopForm(incoming.path) : undefined;
  return route.toolLoop && form && { toolLoop: route.toolLoop, form };
}

/** @throws ProxyError bad_request, too_large, and as runToolLoop does */
export async function serveToolLoop(
  request: MatchedRequest,
  { toolLoop, form }: AskedLoop,
  services: ToolLoopServices,
): Promise<UpstreamAnswer> {
  const { incoming } = request;
  const { head, signal } = incoming;
  await request.body.gather(WHOLE_BODY_BYTES, signal);
  return runToolLoop({
    form,
    body: readBody(request),
    toolLoop,
    toolbox: services.toolboxes.get(toolLoop, services.credentials),
    signal,
    exchangeId: head.id,
    meters: services.meters,
    called: services.called,
    overBudget: services.overBudget,
    turn: (bytes, limit) =>
      services.turn({ ...request, incoming: { ...incoming, signal: limit }, body: new WholeBody(bytes) }),
  });
}

function readBody({ body, route }: MatchedRequest): Json {
  const sent = body.send();
  if (sent.kind === 'stream') {
    const message = `Send at most ${WHOLE_BODY_BYTES} bytes to route "${route.name}": it runs tools, and each turn sends the request again`;
    throw new ProxyError('too_large', message, { route: route.name, status: 413 });
  }
  const text = sent.kind === 'whole' ? sent.bytes.toString('utf8') : '';
  // What runs tools walks through the whole conversation.
  if (nestsTooDeep(text)) {
    const message = `Send a body that nests at most ${MOST_LEVELS} levels deep to route "${route.name}": it runs tools`;
    throw new ProxyError('bad_request', message, { route: route.name });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch {
    // Falls through: the parser's own message would quote the body.
  }
  throw new ProxyError(
    'bad_request',
    `Send the body as one JSON object, uncompressed: route "${route.name}" runs tools`,
  );
}
