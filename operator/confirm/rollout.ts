/**
 * How far one StreamProxy's revision has come: asks its sidecars in rounds until all agree. It runs beside reconciling,
 * which only reads what is known, so that pods that do not answer never hold up the next change.
 */
import type { FailingTarget } from '#contract/revision-report.ts';
import { isServing, type PodFacts } from '../watch/pod-facts.ts';
import type { Answer } from './ask.ts';

/** What is known of one sidecar. `asking`: it has not been heard yet. */
export interface PodState {
  readonly pod: PodFacts;
  readonly state: 'current' | 'stale' | 'unreachable' | 'asking';
  readonly problem: string | undefined;
  /** Log targets that took no records when it was heard last. */
  readonly failingTargets: readonly FailingTarget[];
  /** How long it has been known without being current; 0 when it is current. */
  readonly behindMs: number;
}

/** A kubelet needs 110 to 200 ms from the pod's change to the file's. */
const ROUNDS_AFTER_MS = [150, 200, 300, 500, 1000, 2000, 5000, 10_000];
const ROUNDS_EVERY_MS = 30_000;
/** A sidecar that confirmed is asked again after this time: its log targets may fail, or it started anew on a broken volume. */
const CONFIRMED_FOR_MS = 60_000;

interface Heard {
  readonly run: string;
  readonly answer: Answer;
  readonly atMs: number;
}

export interface RolloutOptions {
  readonly ask: (pod: PodFacts) => Promise<Answer>;
  /** Called after a round that changed the picture. */
  readonly onChange: () => void;
}

export class Rollout {
  readonly #options: RolloutOptions;
  readonly #heard = new Map<string, Heard>();
  readonly #behindSinceMs = new Map<string, number>();
  #pods: readonly PodFacts[] = [];
  #revision = '';
  #round = 0;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #closed = false;

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  /** Says which sidecars shall run which revision, and goes on asking. */
  track(revision: string, pods: readonly PodFacts[]): void {
    const known = new Set(this.#pods.map(({ uid, run }) => `${uid} ${run}`));
    this.#pods = pods.filter(isServing);
    const isNews = revision !== this.#revision || this.#pods.some(({ uid, run }) => !known.has(`${uid} ${run}`));
    if (revision !== this.#revision) {
      // An older answer says nothing any more, not even when it names this revision: a change may have gone back and forth.
      this.#heard.clear();
      this.#behindSinceMs.clear();
    }
    this.#revision = revision;
    this.#keepOnly(new Set(this.#pods.map(({ uid }) => uid)));
    if (isNews) this.#round = 0;
    if (isNews || !this.#timer) this.#schedule();
  }

  states(): PodState[] {
    const nowMs = performance.now();
    return this.#pods.map((pod) => {
      const { state, problem, failingTargets } = this.#judge(pod);
      if (state === 'current') this.#behindSinceMs.delete(pod.uid);
      else if (!this.#behindSinceMs.has(pod.uid)) this.#behindSinceMs.set(pod.uid, nowMs);
      return { pod, state, problem, failingTargets, behindMs: nowMs - (this.#behindSinceMs.get(pod.uid) ?? nowMs) };
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #judge(pod: PodFacts): Pick<PodState, 'state' | 'problem' | 'failingTargets'> {
    const heard = this.#heard.get(pod.uid);
    if (heard?.run !== pod.run) return { state: 'asking', problem: undefined, failingTargets: [] };
    const { answer } = heard;
    const { problem } = answer;
    if (answer.kind === 'unreachable') return { state: 'unreachable', problem, failingTargets: [] };
    const state = answer.revision === this.#revision ? 'current' : 'stale';
    return { state, problem, failingTargets: answer.failingTargets };
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#asking) return;
    const waiting = this.#pods.some((pod) => this.#judge(pod).state !== 'current');
    const delayMs = waiting ? (ROUNDS_AFTER_MS[this.#round] ?? ROUNDS_EVERY_MS) : ROUNDS_EVERY_MS;
    this.#timer = setTimeout(() => void this.#askAll(), delayMs);
    this.#timer.unref();
  }

  async #askAll(): Promise<void> {
    this.#asking = true;
    this.#round += 1;
    const before = this.#picture();
    const nowMs = performance.now();
    const due = this.#pods.filter((pod) => {
      const confirmed = this.#judge(pod).state === 'current';
      return !confirmed || nowMs - (this.#heard.get(pod.uid)?.atMs ?? 0) >= CONFIRMED_FOR_MS;
    });
    await Promise.all(
      due.map(async (pod) => {
        const asked = this.#revision;
        const answer = await this.#options.ask(pod);
        if (asked !== this.#revision) return;
        this.#heard.set(pod.uid, { run: pod.run, answer, atMs: performance.now() });
      }),
    );
    this.#asking = false;
    if (this.#closed) return;
    this.#keepOnly(new Set(this.#pods.map(({ uid }) => uid)));
    this.#schedule();
    if (this.#picture() !== before) this.#options.onChange();
  }

  #picture(): string {
    return JSON.stringify(this.#pods.map((pod) => [pod.uid, this.#judge(pod)]));
  }

  #keepOnly(uids: ReadonlySet<string>): void {
    for (const map of [this.#heard, this.#behindSinceMs]) {
      for (const uid of map.keys()) if (!uids.has(uid)) map.delete(uid);
    }
  }
}
