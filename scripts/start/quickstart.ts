/** The quick start: a scripted upstream on a free port, and crds/examples/quickstart.yaml with its urls resolved to it, for all to see. */
import { join } from 'node:path';
import { startScriptedUpstream } from '../../test/support/scripted-upstream/server.ts';
import { type Running, runFile } from './run-file.ts';

const FILE = join(import.meta.dirname, '../../crds/examples/quickstart.yaml');

/** Runs until SIGTERM or SIGINT. @returns the exit code */
export async function quickstart({ stateDirectory }: { readonly stateDirectory: string }): Promise<number> {
  // Somebody may try it with a real key in the environment: the upstream's journal keeps only its hash.
  const upstream = await startScriptedUpstream({ hideCredentials: true });
  const upstreamUrls = new Map([
    ['scripted-anthropic', upstream.url],
    ['scripted-openai', `${upstream.url}/v1`],
  ]);
  try {
    return await runFile({ kind: 'file', file: FILE, stateDirectory, upstreamUrls }, (running) =>
      hints(running, upstream.url),
    );
  } finally {
    await upstream.close();
  }
}

function hints({ listenUrl }: Running, upstreamUrl: string): string {
  return `
A scripted upstream answers at ${upstreamUrl}: a stand-in for a provider, no account needed. On a cluster the urls of
the file are used; here they are resolved to it, as the two lines above say.

Try it (-N shows each event as it comes):

  curl -N ${listenUrl}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' -d '${body({ max_tokens: 256 })}'

  curl -N ${listenUrl}/v1/chat/completions -H 'content-type: application/json' -d '${body({ stream_options: { include_usage: true } })}'

The model's name tells the scripted upstream how to behave: "scripted?words=200&delay=100" is long and slow,
"scripted?cut=10" breaks off before its tenth event, "scripted?status=529&retry-after=1" is overloaded.
`;
}

function body(more: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    model: 'scripted',
    stream: true,
    ...more,
    messages: [{ role: 'user', content: 'Sing of streams' }],
  });
}
