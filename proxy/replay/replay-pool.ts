/**
 * The connections of an upstream that plays recorded answers: there are none. It stands where a pool of connections would, so
 * that limits, fallback, translation, the tap and the pump treat a played answer as any other.
 */
import { Readable } from 'node:stream';
import type { CompiledReplay } from '#contract/compiled-replay.ts';
import { ProxyError } from '../errors.ts';
import type { DispatchHandler, UpstreamPool } from '../upstream/pool.ts';
import { NothingToPlayError, RecordingLibrary } from './library.ts';
import { Player } from './player.ts';

/** Names the record to be played, by its id or the exchange's. */
export const RECORD_HEADER = 'sluice-replay-record';

type DispatchOptions = Parameters<UpstreamPool['dispatch']>[0];

/** @param name of the upstream, for messages */
export function replayPool(name: string, { path, speed }: CompiledReplay, stateDirectory: string): UpstreamPool {
  const library = new RecordingLibrary(stateDirectory, path);
  const players = new Set<Player>();
  return {
    dispatch(options, handler) {
      const player = new Player(handler, speed);
      players.add(player);
      void player.over.then(() => players.delete(player));
      player.begin();
      void answer(library, options, handler, player).catch((error: unknown) => player.fail(failure(name, error)));
      return true;
    },
    async destroy() {
      for (const player of players) player.abort(new Error('The upstream is gone'));
    },
  };
}

async function answer(
  library: RecordingLibrary,
  { body, headers, path }: DispatchOptions,
  handler: DispatchHandler,
  player: Player,
): Promise<void> {
  await readAll(body, handler, player);
  if (player.aborted) return;
  handler.onRequestSent?.();
  player.play(await library.choose(path.split('?', 1)[0] ?? '', recordAsked(headers)));
}

/** The request is read to its end as every upstream does; nothing in it decides what is played. */
async function readAll(body: DispatchOptions['body'], handler: DispatchHandler, player: Player): Promise<void> {
  if (!(body instanceof Readable)) return;
  void player.over.then(() => body.destroy());
  for await (const chunk of body) handler.onBodySent?.(chunk as Buffer);
}

function recordAsked(headers: DispatchOptions['headers']): string | undefined {
  if (!Array.isArray(headers)) return undefined;
  const names = headers as readonly string[];
  for (let i = 0; i + 1 < names.length; i += 2) if (names[i]?.toLowerCase() === RECORD_HEADER) return names[i + 1];
  return undefined;
}

function failure(name: string, error: unknown): Error {
  if (!(error instanceof NothingToPlayError))
    return error instanceof Error ? error : new Error('Nothing can be played');
  return new ProxyError('connect_failed', `Upstream "${name}" ${error.message}`, { upstream: name });
}
