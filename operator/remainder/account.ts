/** Pure: what a pod left behind → the records that are lost with it, by target, and the event that says so. */
import type { StreamProxy } from '#contract/resources.ts';
import type { Happening } from '../status/events.ts';
import type { LeftBehind } from './left-behind.ts';

/** A target that the resource does not name: a pod's status is no source of new values of a label. */
export const OTHER_TARGET = 'other';

export interface Account {
  /** Records by target, those of the resource and OTHER_TARGET alone; none that is 0. */
  readonly lost: ReadonlyMap<string, number>;
  readonly happening: Happening;
}

export function targetNames({ spec }: Pick<StreamProxy, 'spec'>): string[] {
  return (spec.logging?.targets ?? []).map(({ name }) => name);
}

export function accountOf(pod: string, left: LeftBehind, targets: readonly string[]): Account {
  const { remainder, claim } = left;
  const counts = remainder.targets.map(({ name, waiting, dropped }) => ({
    name: targets.includes(name) ? name : OTHER_TARGET,
    lost: dropped + (claim === undefined ? waiting : 0),
    kept: claim === undefined ? 0 : waiting,
  }));
  const lost = sumBy(counts.map(({ name, lost: records }) => [name, records]));
  const kept = sumBy(counts.map(({ name, kept: records }) => [name, records]));
  const sentences = [
    ...(lost.size > 0 ? [lostSentence(pod, lost, remainder.final)] : []),
    ...(kept.size > 0 ? [keptSentence(pod, kept, claim ?? '')] : []),
  ];
  const note = sentences.join(' ');
  return lost.size > 0
    ? { lost, happening: { type: 'Warning', reason: 'RecordsLeftBehind', note } }
    : { lost, happening: { type: 'Normal', reason: 'RecordsKept', note } };
}

function lostSentence(pod: string, lost: ReadonlyMap<string, number>, final: boolean): string {
  const what = `Pod "${pod}" ended before its records were delivered: ${list(lost)}; they are lost with it.`;
  return final
    ? `${what} See to it that the target can be reached, or name a volume that outlives the pod in spec.sidecar.stateVolume.`
    : `${what} These are the last counts before its sidecar was killed. Raise the pod's terminationGracePeriodSeconds above what ` +
        'its own containers need to stop, or name a volume that outlives the pod in spec.sidecar.stateVolume.';
}

function keptSentence(pod: string, kept: ReadonlyMap<string, number>, claim: string): string {
  return `Pod "${pod}" ended while records waited: ${list(kept)}; they stay on claim "${claim}", and the next pod that mounts it delivers them.`;
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([target, records]) => `${records} for log target "${target}"`).join(', ');
}

function sumBy(counts: readonly (readonly [string, number])[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [name, records] of counts) if (records > 0) sums.set(name, (sums.get(name) ?? 0) + records);
  return sums;
}
