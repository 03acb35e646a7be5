/** The proxy in front of one scripted provider of both dialects, with routes that fail in each way of ours. */
import { ProxyProcess, type Spec } from '../proxy-process.ts';
import { type ScriptedUpstream, startScriptedUpstream } from '../scripted-upstream/server.ts';
import { answerPieces } from '../scripted-upstream/text.ts';

export const PROMPT = 'Tell me about rivers';
export const WORDS = 12;
/** Whole answers: the events come close together, cut in the middle of characters. */
export const MODEL = `scripted?words=${WORDS}&delay=0&chunk=7`;
export const ANSWER = answerPieces(PROMPT, WORDS).join('');

/** Of Anthropic's API: what its SDKs send, which decides whose list of models is asked for. */
const VERSIONS = ['2023-06-01', '2026-10-21'];

export interface Served {
  readonly upstream: ScriptedUpstream;
  readonly proxy: ProxyProcess;
  readonly url: string;
  stop(): Promise<void>;
}

/** Models: `scripted*` is answered, `crossed*` by the upstream of the other dialect, `nowhere` 502, `silent*` 504 at once, `invalid` 503, anything else 404. */
export async function serveBothDialects(): Promise<Served> {
  const upstream = await startScriptedUpstream({ delayMs: 0 });
  const proxy = await ProxyProcess.start(specOf(upstream.url));
  return {
    upstream,
    proxy,
    url: `http://127.0.0.1:${proxy.listenPort}`,
    stop: async () => {
      await proxy.stop();
      await upstream.close();
    },
  };
}

function specOf(url: string): Spec {
  const anthropic = ['/v1/messages*'];
  const openai = ['/v1/chat/completions', '/v1/responses', '/v1/embeddings'];
  const timeouts = { firstByte: '200ms' };
  const to = (name: string, paths: string[], models: string[], upstream: string): Spec['routes'][number] => ({
    name,
    match: { paths, models },
    upstreams: [{ name: upstream }],
  });
  return {
    upstreams: [
      { name: 'claude', dialect: 'anthropic', url },
      { name: 'gpt', dialect: 'openai', url },
      { name: 'silent-claude', dialect: 'anthropic', url, timeouts },
      { name: 'silent-gpt', dialect: 'openai', url, timeouts },
      { name: 'no-claude', dialect: 'anthropic', url: 'http://127.0.0.1:1' },
      { name: 'no-gpt', dialect: 'openai', url: 'http://127.0.0.1:1' },
    ],
    routes: [
      to('crossed-messages', anthropic, ['crossed*'], 'gpt'),
      to('crossed-chat', ['/v1/chat/completions'], ['crossed*'], 'claude'),
      to('claude', anthropic, ['scripted*'], 'claude'),
      to('gpt', openai, ['scripted*', 'gpt-scripted*'], 'gpt'),
      to('silent-claude', anthropic, ['silent*'], 'silent-claude'),
      to('silent-gpt', openai, ['silent*'], 'silent-gpt'),
      to('no-claude', anthropic, ['nowhere'], 'no-claude'),
      to('no-gpt', openai, ['nowhere'], 'no-gpt'),
      to('dangling', ['/*'], ['invalid'], 'absent'),
      {
        name: 'claude-models',
        match: { paths: ['/v1/models'], headers: [{ name: 'anthropic-version', values: VERSIONS }] },
        upstreams: [{ name: 'claude' }],
      },
      { name: 'gpt-models', match: { paths: ['/v1/models'] }, upstreams: [{ name: 'gpt' }] },
    ],
  };
}
