/** The proxy's door for `listen`, `agentTag` and the limits of upstreams in a compiled config. */
import type { AgentTag, ClientCertificate, CompiledListen, ListenTimeouts, UpstreamLimits } from './compiled.ts';
import { at, type Place, readFileName, readList, readName, readObject, readOneOf, readWhole } from './parse-fields.ts';

const MAX_TIMER_MS = 2 ** 31 - 1;

export function readListen(value: unknown, place: Place): CompiledListen {
  const fields = readObject(value, place);
  const { maxInFlight, timeouts, corsOrigins, explain, debug } = fields;
  const explains =
    explain === undefined ? undefined : readOneOf(explain, at(place, 'explain'), ['never', 'always'] as const);
  const debugs = debug === undefined ? undefined : readOneOf(debug, at(place, 'debug'), ['never'] as const);
  return {
    port: readWhole(fields['port'], at(place, 'port'), 65_535),
    ...(maxInFlight !== undefined && { maxInFlight: readAtLeastOne(maxInFlight, at(place, 'maxInFlight')) }),
    ...(timeouts !== undefined && { timeouts: readTimeouts(timeouts, at(place, 'timeouts')) }),
    ...(corsOrigins !== undefined && { corsOrigins: readList(corsOrigins, at(place, 'corsOrigins'), readName) }),
    ...(explains && { explain: explains }),
    ...(debugs && { debug: debugs }),
  };
}

function readTimeouts(value: unknown, place: Place): ListenTimeouts {
  const fields = readObject(value, place);
  return {
    headMs: readWhole(fields['headMs'], at(place, 'headMs'), MAX_TIMER_MS),
    bodyMs: readWhole(fields['bodyMs'], at(place, 'bodyMs'), MAX_TIMER_MS),
  };
}

export function readAgentTag(value: unknown, place: Place): AgentTag {
  const fields = readObject(value, place);
  return { open: readName(fields['open'], at(place, 'open')), close: readName(fields['close'], at(place, 'close')) };
}

export function readLimits(value: unknown, place: Place): UpstreamLimits {
  const { connections, inFlight } = readObject(value, place);
  return {
    ...(connections !== undefined && { connections: readAtLeastOne(connections, at(place, 'connections')) }),
    ...(inFlight !== undefined && { inFlight: readAtLeastOne(inFlight, at(place, 'inFlight')) }),
  };
}

export function readClientCertificate(value: unknown, place: Place): ClientCertificate {
  const fields = readObject(value, place);
  return {
    certFile: readFileName(fields['certFile'], at(place, 'certFile')),
    keyFile: readFileName(fields['keyFile'], at(place, 'keyFile')),
  };
}

/** A limit of 0 would refuse everything: it is refused itself. */
function readAtLeastOne(value: unknown, place: Place): number {
  const read = readWhole(value, place);
  if (value === 0) place.problems.push({ path: place.path, message: 'Expected at least 1' });
  return read;
}

/** What takes the place of a matched prefix: a path without query and fragment. */
export function readRewritePrefix(value: unknown, place: Place): string {
  const text = readName(value, place);
  if (text === '' || /^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$/.test(text)) return text;
  place.problems.push({ path: place.path, message: `Expected a path that begins with "/", got "${text}"` });
  return '';
}

/** A duration in milliseconds for which a timer is set; at least 1. */
export function readTimerMs(value: unknown, place: Place): number {
  const read = readWhole(value, place, MAX_TIMER_MS);
  if (value === 0) place.problems.push({ path: place.path, message: 'Expected at least 1' });
  return read;
}
