/**
 * The scenario language: how the scripted upstream behaves for one exchange, written as a query string such as
 * `words=40&delay=10&cut=5`. It comes from, in this order: `POST /control/next`, the header `x-scripted`, the part of the
 * model's name after `?` (`scripted?status=529&retry-after=1`). Events are counted from 1; a non-streamed answer is one event.
 */

export interface Scenario {
  /** Words of the answer. */
  readonly words: number;
  /** Milliseconds between two events. */
  readonly delayMs: number;
  /** Milliseconds before the answer's head. */
  readonly headMs: number;
  /** Status to refuse with, in the dialect; 200: no refusal. */
  readonly status: number;
  /** Seconds of the header `retry-after`; NaN: none. */
  readonly retryAfterS: number;
  /** Wait before this event until the gate is released. */
  readonly holdAt: number;
  /** Name of the gate; empty: the answer's id. */
  readonly gate: string;
  /** Close the connection before this event, without the body's end; 0: before the head. */
  readonly cutAt: number;
  /** The same by a TCP reset. */
  readonly resetAt: number;
  /** End the body cleanly before this event, without the dialect's own end. */
  readonly closeAt: number;
  /** Send the dialect's error event in place of this one and end. */
  readonly errorAt: number;
  /** Fall silent before this event, for good; 0: before the head. */
  readonly hangAt: number;
  /** 1: calls the first tool that the request offers, until the conversation holds its result. */
  readonly callTool: number;
  /** Name of the tool that is called in place of the first one; empty: the first. */
  readonly call: string;
  /** JSON of the call's arguments; empty: those of a weather tool. */
  readonly callArguments: string;
  /** Bytes per write, so that events and characters are cut; 0: one write an event. */
  readonly chunkBytes: number;
}

const KEYS = {
  words: 'words',
  delay: 'delayMs',
  head: 'headMs',
  status: 'status',
  'retry-after': 'retryAfterS',
  hold: 'holdAt',
  gate: 'gate',
  cut: 'cutAt',
  reset: 'resetAt',
  close: 'closeAt',
  error: 'errorAt',
  hang: 'hangAt',
  tool: 'callTool',
  call: 'call',
  arguments: 'callArguments',
  chunk: 'chunkBytes',
} as const satisfies Record<string, keyof Scenario>;

const DEFAULTS: Scenario = {
  words: 24,
  delayMs: 30,
  headMs: 0,
  status: 200,
  retryAfterS: Number.NaN,
  holdAt: Number.NaN,
  gate: '',
  cutAt: Number.NaN,
  resetAt: Number.NaN,
  closeAt: Number.NaN,
  errorAt: Number.NaN,
  hangAt: Number.NaN,
  callTool: 0,
  call: '',
  callArguments: '',
  chunkBytes: 0,
};

/** Bounds what one request may ask for. */
const MOST = 1_000_000;

/**
 * Parses a scenario over defaults.
 * @throws Error that names the key and the known ones
 */
export function parseScenario(text: string, defaults: Partial<Scenario> = {}): Scenario {
  const scenario: Record<string, number | string> = { ...DEFAULTS, ...defaults };
  for (const [key, value] of new URLSearchParams(text)) {
    const field = Object.hasOwn(KEYS, key) ? KEYS[key as keyof typeof KEYS] : undefined;
    if (!field) throw new Error(`Unknown scenario key "${key}": use ${Object.keys(KEYS).join(', ')}`);
    if (field === 'gate' || field === 'call' || field === 'callArguments') {
      scenario[field] = value;
      continue;
    }
    if (!/^[0-9]{1,7}$/.test(value) || Number(value) > MOST) {
      throw new Error(`Scenario key "${key}" has the value "${value}": use a whole number from 0 to ${MOST}`);
    }
    scenario[field] = Number(value);
  }
  const { status } = scenario as unknown as Scenario;
  if (status < 200 || status > 599) throw new Error(`Scenario key "status" has the value "${status}": use 200 to 599`);
  return scenario as unknown as Scenario;
}

/** The scenario's text that a model's name carries; empty when it carries none. */
export function scenarioOfModel(model: string): string {
  const mark = model.indexOf('?');
  return mark === -1 ? '' : model.slice(mark + 1);
}
