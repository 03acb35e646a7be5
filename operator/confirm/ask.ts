/** Asks one sidecar which revision it executes. */
import type { FailingTarget, RevisionReport } from '#contract/revision-report.ts';
import { describeError } from '../errors.ts';
import type { PodFacts } from '../watch/pod-facts.ts';

export type Answer =
  | {
      readonly kind: 'answered';
      readonly revision: string;
      readonly problem: string | undefined;
      readonly failingTargets: readonly FailingTarget[];
    }
  | { readonly kind: 'unreachable'; readonly problem: string };

const TIMEOUT_MS = 2000;
const MOST_BYTES = 64 * 1024;
/** Of what a sidecar says about itself only this much reaches a condition. */
const MOST_PROBLEM_CHARS = 200;
const MOST_TARGETS = 16;

/** Never rejects: whatever fails makes the sidecar unreachable. */
export async function askRevision({ ip, metricsPort }: PodFacts, signal: AbortSignal): Promise<Answer> {
  const host = ip.includes(':') ? `[${ip}]` : ip;
  try {
    const response = await fetch(`http://${host}:${metricsPort}/revision`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      // The address comes from a pod: it shall not send us elsewhere.
      redirect: 'error',
    });
    const text = await readBounded(response);
    if (!response.ok) return { kind: 'unreachable', problem: `/revision answered ${response.status}` };
    return parseReport(text);
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return { kind: 'unreachable', problem: clip(describeError(cause)) };
  }
}

export function parseReport(text: string): Answer {
  let report: Partial<RevisionReport> | null;
  try {
    report = JSON.parse(text) as typeof report;
  } catch {
    return { kind: 'unreachable', problem: '/revision answered no JSON' };
  }
  const { revision, problems } = report ?? {};
  if (typeof revision !== 'string' && revision !== null)
    return { kind: 'unreachable', problem: '/revision answered no revision' };
  const first = Array.isArray(problems)
    ? (problems[0] as Partial<RevisionReport['problems'][number]> | undefined)
    : undefined;
  const problem = first && clip([first.path, first.message].filter(Boolean).join(': '));
  const failingTargets = readTargets(report?.failingTargets);
  return { kind: 'answered', revision: revision ?? '', problem: problem || undefined, failingTargets };
}

/** What a sidecar says is not taken on trust: only names and texts, few and short. */
function readTargets(value: unknown): FailingTarget[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MOST_TARGETS).flatMap((entry: Partial<FailingTarget> | null) => {
    const { name, error } = entry ?? {};
    return typeof name === 'string' && typeof error === 'string' ? [{ name: clip(name), error: clip(error) }] : [];
  });
}

async function readBounded(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true });
    if (text.length > MOST_BYTES) throw new Error(`/revision answered more than ${MOST_BYTES} bytes`);
  }
  return text;
}

function clip(text: string): string {
  return text.length > MOST_PROBLEM_CHARS ? `${text.slice(0, MOST_PROBLEM_CHARS)}…` : text;
}
