/** unknown → a route's compiled tool loop and pacing, or every problem with its path: part of the door of parse-compiled.ts. */
import {
  type CompiledPacing,
  type CompiledToolLoop,
  type HttpTool,
  type McpServer,
  PROGRESS_MODES,
  type ToolCredential,
  WORKSPACE_TOOLS,
  type Workspace,
} from './compiled-tool-loop.ts';
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

const MOST_MS = 2 ** 31 - 1;

export function readToolLoop(value: unknown, place: Place): CompiledToolLoop {
  const fields = readObject(value, place);
  const whole = (name: string, max?: number): number => readWhole(fields[name], at(place, name), max);
  return {
    mcpServers: readList(fields['mcpServers'], at(place, 'mcpServers'), readMcpServer),
    http: readList(fields['http'], at(place, 'http'), readHttpTool),
    ...(fields['workspace'] !== undefined && { workspace: readWorkspace(fields['workspace'], at(place, 'workspace')) }),
    progress: readOneOf(fields['progress'], at(place, 'progress'), PROGRESS_MODES) ?? 'none',
    calls: readOneOf(fields['calls'], at(place, 'calls'), ['hidden', 'shown']) ?? 'hidden',
    maxRounds: whole('maxRounds', 1000),
    maxParallel: Math.max(1, whole('maxParallel', 1000)),
    callTimeoutMs: whole('callTimeoutMs', MOST_MS),
    maxDurationMs: whole('maxDurationMs', MOST_MS),
    ...(fields['maxTokens'] !== undefined && { maxTokens: whole('maxTokens') }),
    maxResultBytes: whole('maxResultBytes'),
  };
}

function readMcpServer(value: unknown, place: Place): McpServer {
  const fields = readObject(value, place);
  return {
    name: readName(fields['name'], at(place, 'name')),
    url: readUrl(fields['url'], at(place, 'url')),
    allow: readList(fields['allow'], at(place, 'allow'), readName),
    refreshMs: readWhole(fields['refreshMs'], at(place, 'refreshMs'), MOST_MS),
    ...readCredential(fields, place),
  };
}

function readHttpTool(value: unknown, place: Place): HttpTool {
  const fields = readObject(value, place);
  return {
    name: readName(fields['name'], at(place, 'name')),
    description: readText(fields['description'], at(place, 'description')),
    url: readUrl(fields['url'], at(place, 'url')),
    inputSchema: readObject(fields['inputSchema'], at(place, 'inputSchema')),
    ...readCredential(fields, place),
  };
}

function readCredential(
  fields: Readonly<Record<string, unknown>>,
  place: Place,
): { readonly credential?: ToolCredential } {
  if (fields['credential'] === undefined) return {};
  const here = at(place, 'credential');
  const credential = readObject(fields['credential'], here);
  return {
    credential: {
      file: readFileName(credential['file'], at(here, 'file')),
      header: readHeaderName(credential['header'], at(here, 'header')),
      scheme: readOneOf(credential['scheme'], at(here, 'scheme'), ['bearer', 'bare']) ?? 'bare',
    },
  };
}

function readWorkspace(value: unknown, place: Place): Workspace {
  const fields = readObject(value, place);
  return {
    directory: readDirectory(fields['directory'], at(place, 'directory')),
    allow: readList(fields['allow'], at(place, 'allow'), (item, p) => readOneOf(item, p, WORKSPACE_TOOLS) ?? 'list'),
    maxFileBytes: readWhole(fields['maxFileBytes'], at(place, 'maxFileBytes')),
  };
}

function readDirectory(value: unknown, place: Place): string {
  const text = readText(value, place);
  if (typeof value !== 'string' || /^(\/(?!\.{1,2}(\/|$))[^/\0]+)+$/.test(text)) return text;
  place.problems.push({ path: place.path, message: `Expected an absolute path below the root, got "${text}"` });
  return '';
}

function readUrl(value: unknown, place: Place): string {
  const text = readText(value, place);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text;
  if (typeof value === 'string') {
    place.problems.push({ path: place.path, message: 'Expected a url that begins with http:// or https://' });
  }
  return '';
}

export function readPacing(value: unknown, place: Place): CompiledPacing {
  const fields = readObject(value, place);
  const ms = (name: string): number => readWhole(fields[name], at(place, name), MOST_MS);
  return {
    minMs: ms('minMs'),
    maxMs: ms('maxMs'),
    maxLagMs: ms('maxLagMs'),
    nativePaths: fields['nativePaths'] === true,
  };
}
