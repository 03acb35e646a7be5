/** Numbered exchanges from inside a pod, by plain HTTP and without any retry: what each of them came to, one JSON line each. */
import { Agent, request } from 'node:http';

/** `answering`: the first bytes of the answer are here. `ended`: nothing more comes; `whole` as the framing tells it. */
export type ExchangeLine =
  | { readonly n: number; readonly event: 'answering' }
  | { readonly n: number; readonly event: 'ended'; readonly whole: boolean; readonly status?: number };

export interface ExchangesOptions {
  readonly baseUrl: string;
  /** Number of the first exchange. */
  readonly from: number;
  readonly count: number;
  /** How many at once. */
  readonly lanes: number;
  /** Length of the prompt. */
  readonly promptBytes: number;
  /** Of the scripted upstream, with its scenario. */
  readonly model: string;
  /** A lane goes on with the next exchange as soon as one is answering, and leaves it open. */
  readonly leaveOpen: boolean;
}

/** Resolves when every exchange has ended; a lane starts no further one once one of its own broke. */
export async function runExchanges(options: ExchangesOptions, print: (line: ExchangeLine) => void): Promise<void> {
  const { from, count, lanes, leaveOpen } = options;
  const body = bodyOf(options);
  const agent = new Agent({ keepAlive: true });
  let next = from;
  const open: Promise<boolean>[] = [];
  const lane = async (): Promise<void> => {
    let broken = false;
    while (!broken && next < from + count) {
      const { answering, ended } = exchange({ baseUrl: options.baseUrl, n: next++, body, agent }, print);
      const whole = ended.then((isWhole) => {
        broken ||= !isWhole;
        return isWhole;
      });
      open.push(whole);
      await (leaveOpen ? Promise.race([answering, whole]) : whole);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await Promise.all(open);
  agent.destroy();
}

/** `model` and `stream` first, as clients write them. */
function bodyOf({ model, promptBytes }: ExchangesOptions): Buffer {
  const prompt = 'Tell me of streams. '.repeat(Math.ceil(promptBytes / 20)).slice(0, promptBytes);
  const messages = [{ role: 'user', content: prompt }];
  return Buffer.from(JSON.stringify({ model, stream: true, max_tokens: 1024, messages }));
}

interface Exchange {
  readonly answering: Promise<void>;
  /** Whether the answer came whole. */
  readonly ended: Promise<boolean>;
}

interface Asked {
  readonly baseUrl: string;
  readonly n: number;
  readonly body: Buffer;
  readonly agent: Agent;
}

function exchange({ baseUrl, n, body, agent }: Asked, print: (line: ExchangeLine) => void): Exchange {
  const answering = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<boolean>();
  const end = (whole: boolean, status?: number): void => {
    print({ n, event: 'ended', whole, ...(status !== undefined && { status }) });
    ended.resolve(whole);
  };
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const asked = request(`${baseUrl}/v1/messages?n=${n}`, { method: 'POST', headers, agent });
  let answered = false;
  asked.on('error', () => {
    if (!answered) end(false);
  });
  asked.on('response', (response) => {
    answered = true;
    response.once('data', () => {
      print({ n, event: 'answering' });
      answering.resolve();
    });
    response.on('error', () => {});
    response.on('close', () => end(response.complete, response.statusCode));
    response.resume();
  });
  asked.end(body);
  return { answering: answering.promise, ended: ended.promise };
}
