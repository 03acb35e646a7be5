/** Every subject, in the order of the tables. */
import { sluice, sluiceBundle, undiciRelay } from './ours.ts';
import { direct, envoy, haproxy, nginx } from './peers.ts';
import type { Subject } from './subject.ts';

export const SUBJECTS: readonly Subject[] = [direct, haproxy, nginx, envoy, undiciRelay, sluice, sluiceBundle];
