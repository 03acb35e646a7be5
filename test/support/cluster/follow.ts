/** Follows the output of a long-running program line by line. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface Followed {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** The next line of standard output; rejects when there is none within the bound. */
  next(timeoutMs?: number): Promise<string>;
  /** What it has written to standard error so far. */
  complaint(): string;
  /** Ends the program by SIGTERM and waits for it. */
  end(): Promise<void>;
}

/** Starts a program and reads its lines one by one. */
export function followLines(command: readonly string[], env: Readonly<Record<string, string>> = {}): Followed {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const lines = on(createInterface({ input: child.stdout }), 'line', { close: ['close'] });
  const ended = once(child, 'close');
  return {
    child,
    complaint: () => complaint,
    next: async (timeoutMs = 60_000) => {
      const timeout = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => timeout.reject(new Error(`No line of "${program}" within ${timeoutMs} ms: ${complaint}`)),
        timeoutMs,
      );
      try {
        const { value, done } = await Promise.race([lines.next(), timeout.promise]);
        if (done === true) throw new Error(`"${program}" ended: ${complaint}`);
        return String((value as [string])[0]);
      } finally {
        clearTimeout(timer);
      }
    },
    end: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
