/**
 * Ends uploads that dribble: in each span of time a body must end, or bring enough bytes. A body of any length passes that
 * makes progress, and time in which it is we who take nothing does not count.
 */
import type { IncomingMessage } from 'node:http';

/** What counts as progress in one span; a shorter body must be whole within it. */
export const PROGRESS_BYTES = 64 * 1024;

/** Watches one body. */
export interface UploadProgress {
  arrived(bytes: number): void;
  /** We asked the client to wait: the span under way does not count. */
  heldBack(): void;
  stop(): void;
}

/**
 * @param spanMs 0: no limit
 * @param stalled called once, when a span brought too little
 * @returns undefined when there is nothing to watch
 */
export function watchProgress(
  request: IncomingMessage,
  spanMs: number,
  stalled: () => void,
): UploadProgress | undefined {
  const { headers } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (spanMs === 0 || !hasBody || request.complete) return undefined;
  let bytes = 0;
  let excused = false;
  const look = (): void => {
    const isOver = request.complete || request.destroyed;
    if (!isOver && !excused && !request.isPaused() && bytes < PROGRESS_BYTES) stalled();
    else if (!isOver) timer.refresh();
    bytes = 0;
    excused = request.isPaused();
  };
  // The client's socket keeps the process alive, not this.
  const timer = setTimeout(look, spanMs).unref();
  return {
    arrived: (more) => {
      bytes += more;
    },
    heldBack: () => {
      excused = true;
    },
    stop: () => clearTimeout(timer),
  };
}
