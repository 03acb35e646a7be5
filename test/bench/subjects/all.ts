/** Every subject, in the order of the tables, and which of them a scenario measures. */
import { READY, SCENARIOS } from '../scenarios.ts';
import { claudeCodeRouter, litellm } from './gateways.ts';
import { offered, sluiceLogging, sluiceOneHangs, sluiceUnlogged } from './logging.ts';
import { sluice, sluiceBundle, undiciRelay } from './ours.ts';
import { direct, envoy, haproxy, nginx } from './peers.ts';
import type { Subject } from './subject.ts';
import { sluiceSmallBodies, sluiceTranslating, sluiceTranslatingSmallBodies } from './translating.ts';

const RELAYS: readonly Subject[] = [direct, haproxy, nginx, envoy, undiciRelay, sluice, sluiceBundle];
const GATEWAYS: readonly Subject[] = [litellm('anthropic'), claudeCodeRouter('anthropic')];
const OFFERED_PER_SECOND = [250, 500, 1000, 2000];

/** Loads that gateways can bear, each with its heavier neighbour without them. */
const FOR_GATEWAYS_TOO = ['one', 'paced-20', 'short-10', READY];

/** The subjects that a scenario measures, in the order of its table. */
export function subjectsOf(scenario: string): readonly Subject[] {
  switch (scenario) {
    case 'translate':
      return [sluice, sluiceTranslating, claudeCodeRouter('openai')];
    case 'translate-10':
      return [sluice, sluiceTranslating, litellm('openai'), claudeCodeRouter('openai')];
    case 'translate-long':
      return [sluiceSmallBodies, sluiceTranslatingSmallBodies];
    case 'log':
      return [sluiceUnlogged, sluiceLogging, sluiceOneHangs];
    case 'log-postgres':
      return OFFERED_PER_SECOND.map(offered);
    default:
      return FOR_GATEWAYS_TOO.includes(scenario) ? [...RELAYS, ...GATEWAYS] : RELAYS;
  }
}

/** Gateways that cannot bear a scenario's load: its table shows them with dashes. */
export function leftOutOf(scenario: string): readonly string[] {
  const own = new Set(subjectsOf(scenario).map(({ name }) => name));
  const comparable = own.has('direct') || scenario.startsWith('translate');
  return comparable ? GATEWAYS.map(({ name }) => name).filter((name) => !own.has(name)) : [];
}

/** Names of all subjects, each once. */
export const SUBJECT_NAMES: readonly string[] = [
  ...new Set(
    [READY, ...SCENARIOS.map(({ name }) => name)].flatMap((name) => subjectsOf(name).map((each) => each.name)),
  ),
];
