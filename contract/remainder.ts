/**
 * What a sidecar leaves undelivered when it ends, as it travels to the operator: the termination message of its container, which
 * the kubelet copies into the pod's status. Counts and the names of targets only.
 */

/** The records of one target that were not delivered. */
export interface TargetRemainder {
  readonly name: string;
  /** Records in the state directory: the next start on the same volume delivers them. */
  readonly waiting: number;
  /** Records that were given up because the process ended. */
  readonly dropped: number;
}

export interface Remainder {
  /** Whether the log was closed; otherwise these are the last counts before the process was killed. */
  readonly final: boolean;
  /** Those that have anything left. */
  readonly targets: readonly TargetRemainder[];
}

const VERSION = 1;
const MOST_TARGETS = 8;
const MOST_RECORDS = 1_000_000_000;
/** As the resource's definition has it. */
const TARGET_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** One line of JSON. A pod of up to 12 containers has room for 1,024 bytes of each, which the most targets do not fill. */
export function remainderMessage({ final, targets }: Remainder): string {
  const left = targets.filter(({ waiting, dropped }) => waiting + dropped > 0);
  return JSON.stringify({
    sluiceRemainder: VERSION,
    final,
    targets: left.map(({ name, waiting, dropped }) => ({ name, waiting, dropped })),
  });
}

/** @returns undefined when the text is none of ours: a container that failed may show the end of its log there instead */
export function parseRemainder(text: string): Remainder | undefined {
  const value = parsed(text);
  if (value?.['sluiceRemainder'] !== VERSION || !Array.isArray(value['targets'])) return undefined;
  const targets = value['targets'].slice(0, MOST_TARGETS).flatMap((each: unknown) => readTarget(each));
  const names = new Set(targets.map(({ name }) => name));
  if (targets.length !== value['targets'].length || names.size !== targets.length) return undefined;
  return { final: value['final'] === true, targets };
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function readTarget(value: unknown): TargetRemainder[] {
  if (typeof value !== 'object' || value === null) return [];
  const { name, waiting, dropped } = value as Record<string, unknown>;
  if (typeof name !== 'string' || !TARGET_NAME.test(name) || !isCount(waiting) || !isCount(dropped)) return [];
  return [{ name, waiting, dropped }];
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_RECORDS;
}
