/** A server that is a process of a test's: started until it says that it is ready, stopped, and made to stand still. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ServerProgram {
  readonly command: string;
  readonly args: readonly string[];
  /** What it says on standard error when it is ready. */
  readonly ready: RegExp;
  readonly options?: Pick<SpawnOptions, 'cwd' | 'uid' | 'gid'>;
  /** It has processes of its own, which stand still with it. */
  readonly group?: boolean;
  /** Its standard output will be read. */
  readonly stdout?: boolean;
}

/** Generous, as machines that run tests are busy; it only turns a hanging test into one that says what is missing. */
const READY_TIMEOUT_MS = 120_000;

export class ServerProcess {
  readonly #program: ServerProgram;
  #child: ChildProcess | undefined;

  constructor(program: ServerProgram) {
    this.#program = program;
  }

  /** Standard output, for servers that tell something there. */
  get stdout(): NodeJS.ReadableStream | undefined {
    return this.#child?.stdout ?? undefined;
  }

  /** @returns what it said when it was ready */
  async start(): Promise<RegExpExecArray> {
    const { command, args, options = {}, group = false, stdout = false } = this.#program;
    const child = spawn(command, args, {
      ...options,
      stdio: ['ignore', stdout ? 'pipe' : 'ignore', 'pipe'],
      detached: group,
    });
    this.#child = child;
    let said = '';
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new Error(`"${command}" did not get ready: ${said}`));
      AbortSignal.timeout(READY_TIMEOUT_MS).addEventListener('abort', fail, { once: true });
      child.once('error', fail);
      child.once('exit', fail);
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-20_000);
        const match = this.#program.ready.exec(said);
        if (match) resolve(match);
      });
    });
  }

  /** Ends it as a crash would, unless another signal is named. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    this.thaw();
    child.kill(signal);
    await gone;
  }

  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  #signal(signal: NodeJS.Signals): void {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    if (this.#program.group === true) process.kill(-child.pid, signal);
    else child.kill(signal);
  }
}
