/** Streams from inside a pod: how the test application is called, and what the scripted upstream says of the same answer. */
import type { Scene } from './scene.ts';

/** The test application's command inside its container. */
export const CLIENT = ['/usr/local/bin/node', '/app/main.mjs', 'client'];

export interface SeenStream {
  readonly sdk: string;
  readonly events: number;
  readonly text: string;
  readonly stopReason: string | null;
  readonly sha256: string;
  readonly bytes: number;
  readonly answerId: string;
}

/** Streams answers through an SDK in the pod. @returns one entry an answer */
export async function stream(stage: Scene, pod: string, options: readonly string[] = []): Promise<SeenStream[]> {
  const output = await stage.exec(pod, [...CLIENT, 'stream', ...options]);
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as SeenStream);
}

export interface SentAnswer {
  readonly id: string;
  readonly status: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly end: string;
}

/** What the scripted upstream says it sent. */
export async function answerOf(stage: Scene, pod: string, id: string): Promise<SentAnswer> {
  return (await control(stage, pod, `/control/answers/${id}`)) as SentAnswer;
}

/** The credential headers with which the answer's request reached the scripted upstream. */
export async function keysSeen(stage: Scene, pod: string, id: string): Promise<Record<string, string>> {
  const requests = (await control(stage, pod, '/control/requests')) as { id: string; headers: [string, string][] }[];
  const headers = requests.find((request) => request.id === id)?.headers ?? [];
  const credentials = ['x-api-key', 'authorization', 'api-key'];
  return Object.fromEntries(
    headers.map(([name, value]) => [name.toLowerCase(), value]).filter(([name]) => credentials.includes(name ?? '')),
  );
}

async function control(stage: Scene, pod: string, path: string): Promise<unknown> {
  return JSON.parse(await stage.exec(pod, [...CLIENT, 'fetch', '--url', `${stage.upstreamUrl}${path}`]));
}
