/** Runs the calls of one model turn: so many at a time, each with its own limit. Every call gets a result; failures are results as well. */
import { createHash } from 'node:crypto';
import type { CheckedTool } from './checked-tool.ts';
import { cutResult } from './cut-result.ts';
import { type CallOutcome, type ToolCall, type ToolCallReport, type ToolResult, textResult } from './tool.ts';

export interface ExecuteOptions {
  readonly tools: ReadonlyMap<string, CheckedTool>;
  readonly round: number;
  readonly maxParallel: number;
  readonly callTimeoutMs: number;
  readonly maxResultBytes: number;
  readonly signal: AbortSignal;
  /** A call begins: the `position`th to begin, from 1. */
  started(call: ToolCall, position: number): void;
  finished(report: ToolCallReport): void;
}

/**
 * @returns the results in the order of the calls
 * @throws the signal's reason
 */
export async function executeCalls(calls: readonly ToolCall[], options: ExecuteOptions): Promise<ToolResult[]> {
  const results: ToolResult[] = [];
  const waiting = calls.entries();
  let begun = 0;
  const work = async (): Promise<void> => {
    for (const [index, call] of waiting) {
      begun += 1;
      options.started(call, begun);
      results[index] = await executeOne(call, options);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.maxParallel, calls.length) }, work));
  return results;
}

async function executeOne(call: ToolCall, options: ExecuteOptions): Promise<ToolResult> {
  const startedAt = performance.now();
  const { outcome, result } = await attempt(call, options);
  const cut = cutResult(result, options.maxResultBytes);
  const { sha256, bytes } = digest(cut);
  options.finished({
    round: options.round,
    tool: call.name,
    outcome,
    startedAt,
    endedAt: performance.now(),
    argumentsText: call.argumentsText,
    resultSha256: sha256,
    resultBytes: bytes,
  });
  options.signal.throwIfAborted();
  return cut;
}

interface Tried {
  readonly outcome: CallOutcome;
  readonly result: ToolResult;
}

async function attempt({ name, argumentsText }: ToolCall, options: ExecuteOptions): Promise<Tried> {
  const tool = options.tools.get(name);
  if (tool === undefined) {
    const known = [...options.tools.keys()].join(', ');
    return { outcome: 'unknown_tool', result: textResult(`There is no tool "${name}"; use one of: ${known}`, true) };
  }
  const read = tool.readArguments(argumentsText);
  if (!read.ok) return { outcome: 'invalid_arguments', result: textResult(read.problem, true) };
  const { callTimeoutMs } = options;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error('Timeout')), callTimeoutMs);
  try {
    const signal = AbortSignal.any([options.signal, limit.signal]);
    // Raced, as a tool may not listen to the signal.
    const result = await unlessAborted(tool.call(read.args, signal), signal);
    return { outcome: result.isError ? 'tool_error' : 'ok', result };
  } catch (error) {
    if (options.signal.aborted) return { outcome: 'cancelled', result: textResult('Cancelled', true) };
    if (limit.signal.aborted) {
      return { outcome: 'timeout', result: textResult(`No result within ${callTimeoutMs} ms`, true) };
    }
    return { outcome: 'failed', result: textResult(error instanceof Error ? error.message : 'The tool failed', true) };
  } finally {
    clearTimeout(timer);
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  // Whichever loses the race must not end the process as an unhandled rejection.
  promise.catch(() => {});
  work.catch(() => {});
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', onAbort));
}

function digest({ content }: ToolResult): { sha256: string; bytes: number } {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const part of content) {
    const data = part.kind === 'text' ? Buffer.from(part.text) : Buffer.from(part.base64, 'base64');
    hash.update(data);
    bytes += data.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}
