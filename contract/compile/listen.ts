/** spec.listen and spec.agentTag -> compiled. What is at its default is left out, so that a revision changes only with a meaning. */
import type { CompiledListen, ListenTimeouts } from '../compiled.ts';
import { DEFAULT_LISTEN_TIMEOUTS } from '../compiled-listen.ts';
import { DEFAULT_LISTEN_PORT } from '../names.ts';
import type { StreamProxy } from '../resources.ts';
import { parseDurationMs } from '../units.ts';

type Listen = NonNullable<StreamProxy['spec']['listen']>;

export function compileListen(listen: Listen = {}): CompiledListen {
  const { cors, debug, explain, limits } = listen;
  const timeouts = compileTimeouts(listen.timeouts ?? {});
  return {
    port: listen.port ?? DEFAULT_LISTEN_PORT,
    ...(limits?.inFlight !== undefined && { maxInFlight: limits.inFlight }),
    ...(timeouts && { timeouts }),
    ...(cors && { corsOrigins: cors.allowOrigins }),
    ...(explain !== undefined && explain !== 'onRequest' && { explain }),
    ...(debug === 'never' && { debug }),
  };
}

function compileTimeouts({ head, body }: NonNullable<Listen['timeouts']>): ListenTimeouts | undefined {
  const { headMs, bodyMs } = DEFAULT_LISTEN_TIMEOUTS;
  const timeouts = {
    headMs: head === undefined ? headMs : (parseDurationMs(head) ?? headMs),
    bodyMs: body === undefined ? bodyMs : (parseDurationMs(body) ?? bodyMs),
  };
  return timeouts.headMs === headMs && timeouts.bodyMs === bodyMs ? undefined : timeouts;
}
