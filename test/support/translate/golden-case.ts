/** A golden case of translation: which parts its folder has, and what the translator makes of each. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProxyError } from '../../../proxy/errors.ts';
import { type FlavorName, flavorOf } from '../../../proxy/translate/flavors.ts';
import type {
  JsonObject,
  StreamTranslator,
  TranslationContext,
  Translator,
} from '../../../proxy/translate/translator.ts';

/** What `context.json` may say; everything else is the same in all cases. */
export interface CaseContext {
  readonly flavor?: FlavorName;
  readonly onLoss?: 'warn' | 'refuse';
  readonly model?: string;
  readonly askedModel?: string;
  readonly defaultMaxTokens?: number;
  /** The client's request; the case's own where it has one. */
  readonly request?: JsonObject;
}

export const FAREWELL = 'The upstream ended its answer too early';

/** @param losses takes the names that are counted */
export function translationContext(given: CaseContext = {}, losses: string[] = []): TranslationContext {
  return {
    model: given.model ?? 'upstream-model',
    askedModel: given.askedModel ?? 'asked-model',
    defaultMaxTokens: given.defaultMaxTokens ?? 8192,
    flavor: flavorOf(given.flavor ?? 'openai'),
    onLoss: given.onLoss ?? 'warn',
    lost: (what) => losses.push(what),
    exchangeId: '0192f0c1-1111-7000-8000-000000000001',
    createdSeconds: 1_770_000_000,
    ...(given.request !== undefined && { request: given.request }),
  };
}

/** Everything that a stream becomes, as the proxy writes it: the farewell follows where the answer is not whole. */
export function translated(stream: StreamTranslator, chunks: readonly Buffer[]): string {
  const bytes = chunks.map((chunk) => stream.push(chunk));
  const { bytes: rest, whole } = stream.end();
  return Buffer.concat([...bytes, rest, ...(whole ? [] : [stream.farewell(FAREWELL)])]).toString('utf8');
}

/** What a case's folder holds or shall hold, by file name. */
export type Outcome = Readonly<Record<string, string>>;

const OUTPUTS = [
  'expected-request.json',
  'expected.sse',
  'expected.json',
  'expected-error.json',
  'expected-losses.json',
];

export function readOutcome(folder: string): Outcome {
  const present = OUTPUTS.filter((file) => existsSync(join(folder, file)));
  return Object.fromEntries(present.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
}

export function writeOutcome(folder: string, outcome: Outcome): void {
  for (const file of OUTPUTS) {
    const text = outcome[file];
    if (text === undefined) rmSync(join(folder, file), { force: true });
    else writeFileSync(join(folder, file), text);
  }
}

/** Runs every part that the folder has. */
export function runCase(folder: string, translator: Translator): Outcome {
  const losses: string[] = [];
  const context = translationContext(caseContext(folder), losses);
  const request = readJson(folder, 'request.json');
  const stream = caseStream(folder);
  const answer = readJson(folder, 'upstream.json');
  const error = readJson(folder, 'upstream-error.json') as { status: number; text: string } | undefined;
  const outcome: Record<string, string> = {};
  if (request) outcome['expected-request.json'] = pretty(requestOutcome(translator, request, context));
  if (stream) outcome['expected.sse'] = translated(translator.stream(context), [stream]);
  if (answer) outcome['expected.json'] = pretty(translator.answer(answer, context));
  if (error) outcome['expected-error.json'] = pretty(translator.error(error.status, error.text, context));
  if (losses.length > 0) outcome['expected-losses.json'] = pretty(losses);
  return outcome;
}

export function caseContext(folder: string): CaseContext {
  const request = readJson(folder, 'request.json');
  return {
    ...(request !== undefined && { request }),
    ...(readJson(folder, 'context.json') as CaseContext | undefined),
  };
}

/** @returns the bytes of the case's stream, if it has one */
export function caseStream(folder: string): Buffer | undefined {
  const path = join(folder, 'upstream.sse');
  return existsSync(path) ? readFileSync(path) : undefined;
}

function requestOutcome(translator: Translator, request: JsonObject, context: TranslationContext): unknown {
  try {
    return translator.request(request, context).body;
  } catch (error) {
    if (error instanceof ProxyError && error.kind === 'bad_request') return { refused: error.message };
    throw error;
  }
}

function readJson(folder: string, file: string): JsonObject | undefined {
  const path = join(folder, file);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as JsonObject) : undefined;
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
