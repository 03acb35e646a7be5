/**
 * Recorded answers: the project's own fixtures, and those that real providers sent, which are read where they lie and are no
 * part of the project. How each one ends is read here by JSON alone, so that it judges the proxy's scanner and not the reverse.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { StreamEndKind } from '../../../contract/stream-end.ts';

const ROOT = join(import.meta.dirname, '../../..');
const FIXTURES = join(ROOT, 'test/fixtures/streams');
const RECORDINGS = process.env['SLUICE_RECORDINGS'] ?? join(ROOT, '../shared/streams');

export interface Recording {
  readonly name: string;
  readonly dialect: 'anthropic' | 'openai';
  readonly path: string;
  readonly isStream: boolean;
  readonly bytes: Buffer;
  readonly end: StreamEndKind;
}

const PATHS = { anthropic: '/v1/messages', chat: '/v1/chat/completions', responses: '/v1/responses' } as const;
type Protocol = keyof typeof PATHS;

/** Fixtures that are broken on purpose; their names say how. */
const BROKEN: Readonly<Record<string, StreamEndKind>> = {
  'cut.sse': 'upstream_cut',
  'chat-cut.sse': 'upstream_cut',
  'responses-cut.sse': 'upstream_cut',
  'chat-two-choices.sse': 'upstream_cut',
  'error-before-content.sse': 'upstream_error',
  'error-mid-stream.sse': 'upstream_error',
  'chat-error.sse': 'upstream_error',
  'chat-named-error.sse': 'upstream_error',
  'responses-error.sse': 'upstream_error',
  'responses-failed.sse': 'upstream_error',
};

export function fixtures(): Recording[] {
  return ['anthropic', 'openai'].flatMap((folder) =>
    readdirSync(join(FIXTURES, folder)).map((file) => {
      const protocol = folder === 'anthropic' ? 'anthropic' : file.startsWith('chat') ? 'chat' : 'responses';
      const bytes = readFileSync(join(FIXTURES, folder, file));
      return recording(`${folder}/${file}`, protocol, { isStream: true, bytes, end: BROKEN[file] ?? 'complete' });
    }),
  );
}

/** Undefined when the folder is not there. */
export function providerRecordings(): Recording[] | undefined {
  if (!existsSync(RECORDINGS)) return undefined;
  const folders = { anthropic: 'anthropic', 'openai-chat': 'chat', 'openai-responses': 'responses' } as const;
  return Object.entries(folders).flatMap(([folder, protocol]) => {
    const path = join(RECORDINGS, folder);
    if (!existsSync(path)) return [];
    return readdirSync(path).map((file) => providerRecording(join(path, file), folder, protocol));
  });
}

function providerRecording(path: string, folder: string, protocol: Protocol): Recording {
  const name = `${folder}/${basename(path)}`;
  const text = readFileSync(path, 'utf8');
  if (!path.endsWith('.chunks.txt'))
    return recording(name, protocol, { isStream: false, bytes: Buffer.from(text), end: 'complete' });
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const events = lines.map((line) => `${protocol === 'chat' ? '' : `event: ${typeOf(line)}\n`}data: ${line}\n\n`);
  if (protocol === 'chat') events.push('data: [DONE]\n\n');
  return recording(name, protocol, {
    isStream: true,
    bytes: Buffer.from(events.join('')),
    end: endOf(protocol, lines),
  });
}

function recording(name: string, protocol: Protocol, rest: Pick<Recording, 'isStream' | 'bytes' | 'end'>): Recording {
  return { name, dialect: protocol === 'anthropic' ? 'anthropic' : 'openai', path: PATHS[protocol], ...rest };
}

function endOf(protocol: Protocol, lines: readonly string[]): StreamEndKind {
  const types = lines.map(typeOf);
  const failed = ['error', 'response.failed'];
  if (types.some((type) => failed.includes(type)) || lines.some((line) => objectOf(line)['error']))
    return 'upstream_error';
  const last = types.at(-1) ?? '';
  if (protocol === 'chat' || ['message_stop', 'response.completed', 'response.incomplete'].includes(last))
    return 'complete';
  return 'upstream_cut';
}

function typeOf(line: string): string {
  const { type } = objectOf(line);
  return typeof type === 'string' ? type : '';
}

function objectOf(line: string): Record<string, unknown> {
  return JSON.parse(line) as Record<string, unknown>;
}

/** Offsets behind each blank line: where one event ends and the next begins. */
export function eventEdges(bytes: Buffer): number[] {
  const text = bytes.toString('latin1');
  return [...text.matchAll(/\r\n\r\n|\n\n|\r\r/g)].map((match) => match.index + match[0].length);
}
