/**
 * unknown → CompiledConfig, or every problem with its path. The proxy's door: what came in was written by an operator of
 * perhaps another version, so nothing is taken on trust, and no input makes this throw.
 */
import {
  COMPILED_VERSION,
  type CompiledConfig,
  type CompiledLogging,
  type CompiledMatch,
  type CompiledRoute,
  type CompiledUpstream,
  type CredentialSource,
  type PathPattern,
  type Redaction,
  type UpstreamTranslation,
  type ValidRoute,
} from './compiled.ts';
import { DIALECTS } from './dialect.ts';
import type { Problem } from './finding.ts';
import { FLAVORS } from './flavors.ts';
import { readAudit } from './parse-audit.ts';
import {
  at,
  type Place,
  readFileName,
  readHeaderName,
  readList,
  readName,
  readObject,
  readOneOf,
  readText,
  readWhole,
} from './parse-fields.ts';
import { readGateway } from './parse-gateway.ts';
import {
  readAgentTag,
  readClientCertificate,
  readLimits,
  readListen,
  readRewritePrefix,
  readTimerMs,
} from './parse-listen.ts';
import { readReplay } from './parse-replay.ts';
import { readInvalid, readTarget } from './parse-targets.ts';
import { readPacing, readToolLoop } from './parse-tool-loop.ts';

export type ParsedCompiled =
  | { readonly ok: true; readonly config: CompiledConfig }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Parses the text of config.json. */
export function parseCompiledText(text: string): ParsedCompiled {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message would quote the text.
    return { ok: false, problems: [{ path: '', message: 'The config is no valid JSON; deliver it again' }] };
  }
  return parseCompiled(value);
}

/** Parses a value that came from JSON. Unknown fields are ignored: a newer operator may add some. */
export function parseCompiled(value: unknown): ParsedCompiled {
  const problems: Problem[] = [];
  const root: Place = { path: '', problems };
  const fields = readObject(value, root);
  if (problems.length > 0) return { ok: false, problems };
  if (fields['version'] !== COMPILED_VERSION) {
    const message = `Cannot execute version ${JSON.stringify(fields['version'])?.slice(0, 40) ?? 'nothing'} of the config, only ${COMPILED_VERSION}; use a proxy of the operator's release`;
    return { ok: false, problems: [{ path: 'version', message }] };
  }
  const config: CompiledConfig = {
    version: COMPILED_VERSION,
    name: readName(fields['name'], at(root, 'name')),
    namespace: readName(fields['namespace'], at(root, 'namespace')),
    generation: readWhole(fields['generation'], at(root, 'generation')),
    revision: readName(fields['revision'], at(root, 'revision')),
    listen: readListen(fields['listen'], at(root, 'listen')),
    metrics: readPort(fields['metrics'], at(root, 'metrics')),
    ...(fields['agentTag'] !== undefined && { agentTag: readAgentTag(fields['agentTag'], at(root, 'agentTag')) }),
    upstreams: readList(fields['upstreams'], at(root, 'upstreams'), readUpstream),
    routes: readList(fields['routes'], at(root, 'routes'), readRoute),
    logging: readLogging(fields['logging'], at(root, 'logging')),
    ...(fields['gateway'] !== undefined && { gateway: readGateway(fields['gateway'], at(root, 'gateway')) }),
  };
  if (problems.length === 0) checkReferences(config, problems);
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

function readPort(value: unknown, place: Place): { port: number } {
  return { port: readWhole(readObject(value, place)['port'], at(place, 'port'), 65_535) };
}

function readUpstream(value: unknown, place: Place): CompiledUpstream {
  const fields = readObject(value, place);
  const kind = readOneOf(fields['kind'], at(place, 'kind'), ['valid', 'invalid']);
  if (kind !== 'valid') return readInvalid(fields, place);
  const timeouts = readObject(fields['timeouts'], at(place, 'timeouts'));
  const limit = (name: string): number => readWhole(timeouts[name], at(at(place, 'timeouts'), name), 2 ** 31 - 1);
  return {
    kind,
    name: readName(fields['name'], at(place, 'name')),
    dialect: readOneOf(fields['dialect'], at(place, 'dialect'), DIALECTS) ?? 'raw',
    origin: readOrigin(fields['origin'], at(place, 'origin')),
    basePath: readBasePath(fields['basePath'], at(place, 'basePath')),
    credentials: readList(fields['credentials'], at(place, 'credentials'), readCredentialSource),
    timeouts: {
      connectMs: limit('connectMs'),
      firstByteMs: limit('firstByteMs'),
      idleMs: limit('idleMs'),
      totalMs: limit('totalMs'),
    },
    modelMap: readList(fields['modelMap'], at(place, 'modelMap'), (item, p) => ({
      from: readName(readObject(item, p)['from'], at(p, 'from')),
      to: readName(readObject(item, p)['to'], at(p, 'to')),
    })),
    translation: readTranslation(fields['translation'], at(place, 'translation')),
    ...(fields['caFile'] !== undefined && { caFile: readFileName(fields['caFile'], at(place, 'caFile')) }),
    ...(fields['clientCertificate'] !== undefined && {
      clientCertificate: readClientCertificate(fields['clientCertificate'], at(place, 'clientCertificate')),
    }),
    ...(fields['gateway'] === true && { gateway: true }),
    ...(fields['proxyUrl'] !== undefined && { proxyUrl: readProxyUrl(fields['proxyUrl'], at(place, 'proxyUrl')) }),
    ...(fields['limits'] !== undefined && { limits: readLimits(fields['limits'], at(place, 'limits')) }),
    ...(fields['http2'] === true && { http2: true }),
    ...(fields['replay'] !== undefined && { replay: readReplay(fields['replay'], at(place, 'replay')) }),
  };
}

function readTranslation(value: unknown, place: Place): UpstreamTranslation {
  const fields = readObject(value, place);
  return {
    flavor: readOneOf(fields['flavor'], at(place, 'flavor'), FLAVORS) ?? 'openai',
    maxTokens: readWhole(fields['maxTokens'], at(place, 'maxTokens')),
    onLoss: readOneOf(fields['onLoss'], at(place, 'onLoss'), ['warn', 'refuse']) ?? 'warn',
  };
}

function readOrigin(value: unknown, place: Place): string {
  const text = readText(value, place);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:') && url.origin === text) return text;
  if (typeof value === 'string') {
    place.problems.push({ path: place.path, message: `Expected http(s)://host[:port] without a path, got "${text}"` });
  }
  return '';
}

function readProxyUrl(value: unknown, place: Place): string {
  const text = readText(value, place);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text;
  // Not quoted: an egress proxy's url may carry a password.
  place.problems.push({ path: place.path, message: 'Expected a url that begins with http:// or https://' });
  return '';
}

function readBasePath(value: unknown, place: Place): string {
  const text = readText(value, place);
  if (text === '' || /^\/[\x21-\x7e]*[^/]$/.test(text)) return text;
  place.problems.push({ path: place.path, message: `Expected a path that does not end in "/", got "${text}"` });
  return '';
}

function readCredentialSource(value: unknown, place: Place): CredentialSource {
  const fields = readObject(value, place);
  const kind = readOneOf(fields['kind'], at(place, 'kind'), ['client', 'secret', 'serviceAccountToken']);
  if (kind !== 'secret') return { kind: kind ?? 'client' };
  return {
    kind,
    file: readFileName(fields['file'], at(place, 'file')),
    header: readHeaderName(fields['header'], at(place, 'header')),
    scheme: readOneOf(fields['scheme'], at(place, 'scheme'), ['bearer', 'bare']) ?? 'bare',
  };
}

function readRoute(value: unknown, place: Place): CompiledRoute {
  const fields = readObject(value, place);
  const match = readMatch(fields['match'], at(place, 'match'));
  const kind = readOneOf(fields['kind'], at(place, 'kind'), ['valid', 'invalid']);
  if (kind !== 'valid') return { ...readInvalid(fields, place), match };
  const retry = readObject(fields['retry'], at(place, 'retry'));
  const retryPlace = at(place, 'retry');
  return {
    kind,
    name: readName(fields['name'], at(place, 'name')),
    match,
    split: readList(fields['split'], at(place, 'split'), (item, p) => ({
      ...readChoice(item, p),
      weight: readWhole(readObject(item, p)['weight'], at(p, 'weight')),
    })),
    ...(fields['stickyHeader'] !== undefined && {
      stickyHeader: readHeaderName(fields['stickyHeader'], at(place, 'stickyHeader')),
    }),
    fallback: readList(fields['fallback'], at(place, 'fallback'), readChoice),
    ...(fields['toolLoop'] !== undefined && { toolLoop: readToolLoop(fields['toolLoop'], at(place, 'toolLoop')) }),
    ...(fields['pacing'] !== undefined && { pacing: readPacing(fields['pacing'], at(place, 'pacing')) }),
    retry: {
      attemptsPerUpstream: readWhole(retry['attemptsPerUpstream'], at(retryPlace, 'attemptsPerUpstream'), 100),
      withinMs: readWhole(retry['withinMs'], at(retryPlace, 'withinMs'), 2 ** 31 - 1),
    },
    ...(fields['rewritePrefix'] !== undefined && {
      rewritePrefix: readRewritePrefix(fields['rewritePrefix'], at(place, 'rewritePrefix')),
    }),
    ...(fields['keepAliveMs'] !== undefined && {
      keepAliveMs: readTimerMs(fields['keepAliveMs'], at(place, 'keepAliveMs')),
    }),
  };
}

function readChoice(value: unknown, place: Place): ValidRoute['fallback'][number] {
  const fields = readObject(value, place);
  return {
    upstream: readName(fields['upstream'], at(place, 'upstream')),
    ...(fields['model'] !== undefined && { model: readName(fields['model'], at(place, 'model')) }),
  };
}

function readMatch(value: unknown, place: Place): CompiledMatch {
  const fields = readObject(value, place);
  return {
    paths: readList(fields['paths'], at(place, 'paths'), readPathPattern),
    models: readList(fields['models'], at(place, 'models'), readName),
    ...(fields['tierModels'] !== undefined && {
      tierModels: readList(fields['tierModels'], at(place, 'tierModels'), readName),
    }),
    agents: readList(fields['agents'], at(place, 'agents'), readName),
    headers: readList(fields['headers'], at(place, 'headers'), (item, p) => {
      const header = readObject(item, p);
      return {
        name: readHeaderName(header['name'], at(p, 'name')),
        values: readList(header['values'], at(p, 'values'), readText),
      };
    }),
  };
}

function readPathPattern(value: unknown, place: Place): PathPattern {
  const fields = readObject(value, place);
  return {
    kind: readOneOf(fields['kind'], at(place, 'kind'), ['exact', 'prefix']) ?? 'exact',
    path: readText(fields['path'], at(place, 'path')),
  };
}

function readLogging(value: unknown, place: Place): CompiledLogging {
  const fields = readObject(value, place);
  return {
    maxBodyBytes: readWhole(fields['maxBodyBytes'], at(place, 'maxBodyBytes')),
    assemble: fields['assemble'] === true,
    ...(fields['partialsEveryMs'] !== undefined && {
      partialsEveryMs: readWhole(fields['partialsEveryMs'], at(place, 'partialsEveryMs')),
    }),
    redact: readList(fields['redact'], at(place, 'redact'), readRedaction),
    spoolBytes: readWhole(fields['spoolBytes'], at(place, 'spoolBytes')),
    spoolMaxAgeMs: readWhole(fields['spoolMaxAgeMs'], at(place, 'spoolMaxAgeMs')),
    targets: readList(fields['targets'], at(place, 'targets'), readTarget),
    ...(fields['audit'] !== undefined && { audit: readAudit(fields['audit'], at(place, 'audit')) }),
  };
}

function readRedaction(value: unknown, place: Place): Redaction {
  const fields = readObject(value, place);
  const kind = readOneOf(fields['kind'], at(place, 'kind'), ['header', 'jsonPath', 'pattern']);
  if (kind === 'jsonPath') return { kind, path: readList(fields['path'], at(place, 'path'), readStep) };
  if (kind === 'pattern') return { kind, pattern: readText(fields['pattern'], at(place, 'pattern')) };
  return { kind: 'header', header: readHeaderName(fields['header'], at(place, 'header')) };
}

function readStep(value: unknown, place: Place): string | number {
  return typeof value === 'number' ? readWhole(value, place) : readText(value, place);
}

/** A route that names an upstream which is not there would fail request by request; it is refused whole, at the door. */
function checkReferences(config: CompiledConfig, problems: Problem[]): void {
  const names = new Set(config.upstreams.map((upstream) => upstream.name));
  if (names.size < config.upstreams.length) problems.push({ path: 'upstreams', message: 'Two upstreams share a name' });
  for (const [index, route] of config.routes.entries()) {
    if (route.kind === 'invalid') continue;
    const path = `routes[${index}]`;
    for (const { upstream } of [...route.split, ...route.fallback]) {
      if (!names.has(upstream))
        problems.push({
          path,
          message: `Route "${route.name}" names "${upstream}", which is no upstream of the config`,
        });
    }
    if (!route.split.some((choice) => choice.weight > 0)) {
      problems.push({ path: `${path}.split`, message: `Route "${route.name}" has no upstream with a weight above 0` });
    }
    if (route.retry.attemptsPerUpstream < 1) {
      problems.push({ path: `${path}.retry.attemptsPerUpstream`, message: 'Expected at least 1' });
    }
  }
}
