/**
 * The application of the cluster tests: runs inside a pod, uses an official SDK that knows nothing but its environment,
 * and prints what it saw as JSON lines. Commands: `idle` (stay until SIGTERM), `stream` (answers through an SDK), `converse` (a
 * conversation with a tool, one model a turn),
 * `fetch` (a GET or POST, for the scripted upstream's control API), `watch-revision` (each change of the sidecar's),
 * `exchanges` (numbered ones by plain HTTP, some of which may break).
 */
import { parseArgs } from 'node:util';
import { converse } from './converse.ts';
import { digestBodies } from './digest.ts';
import { runExchanges } from './exchanges.ts';
import { watchRevision } from './revision.ts';
import { type Seen, streamAnthropic, streamOpenai } from './sdks.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sdk: { type: 'string', default: 'anthropic' },
    model: { type: 'string', default: 'scripted' },
    prompt: { type: 'string', default: 'Tell me of streams.' },
    'release-url': { type: 'string' },
    count: { type: 'string', default: '1' },
    url: { type: 'string' },
    method: { type: 'string', default: 'GET' },
    from: { type: 'string', default: '0' },
    lanes: { type: 'string', default: '1' },
    'prompt-bytes': { type: 'string', default: '1000' },
    'leave-open': { type: 'boolean', default: false },
  },
});

/** Tells the upstream that the first event is here, before the second can leave. */
async function onFirstEvent(): Promise<void> {
  if (values['release-url'] === undefined) return;
  const response = await fetch(values['release-url'], { method: 'POST' });
  if (!response.ok) throw new Error(`Releasing the stream failed: ${response.status} from ${values['release-url']}`);
}

async function streamOnce(): Promise<Seen & { sha256: string; bytes: number; answerId: string }> {
  const digest = digestBodies();
  const seen = await (values.sdk === 'openai' ? streamOpenai : streamAnthropic)(
    values.model,
    values.prompt,
    onFirstEvent,
  );
  return { ...seen, ...(await digest.finished()) };
}

async function fetchText(): Promise<string> {
  const response = await fetch(values.url ?? '', { method: values.method });
  const text = await response.text();
  if (!response.ok) throw new Error(`${values.method} ${values.url} gave ${response.status}: ${text}`);
  return text;
}

function exchanges(): Promise<void> {
  const options = {
    baseUrl: process.env['ANTHROPIC_BASE_URL'] ?? '',
    from: Number(values.from),
    count: Number(values.count),
    lanes: Number(values.lanes),
    promptBytes: Number(values['prompt-bytes']),
    model: values.model,
    leaveOpen: values['leave-open'],
  };
  return runExchanges(options, (line) => console.log(JSON.stringify(line)));
}

function idle(): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => undefined, 60_000);
    process.once('SIGTERM', () => {
      clearInterval(timer);
      resolve();
    });
  });
}

switch (positionals[0]) {
  case 'idle':
    await idle();
    break;
  case 'stream':
    for (let i = 0; i < Number(values.count); i += 1) console.log(JSON.stringify(await streamOnce()));
    break;
  case 'converse':
    await converse(values.model.split(','), values.prompt, (turn) => console.log(JSON.stringify(turn)));
    break;
  case 'fetch':
    console.log(await fetchText());
    break;
  case 'watch-revision':
    await watchRevision((line) => console.log(JSON.stringify(line)));
    break;
  case 'exchanges':
    await exchanges();
    break;
  default:
    console.error(
      `Unknown command "${positionals[0] ?? ''}": use idle, stream, converse, fetch, watch-revision or exchanges`,
    );
    process.exitCode = 2;
}
