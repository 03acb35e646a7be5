/** The two sorts of failure: the user must change something (TerminalError), or any other error, which is tried again with backoff. */

/** Trying again cannot help before somebody changes the resource; becomes a condition. */
export class TerminalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TerminalError';
  }
}

/** One line for logs and conditions; never an object, which could carry a request's body. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
