/** Condition types and reasons of a StreamProxy, each with one sentence. */

export const CONDITION_TYPES = {
  /** Every part of the spec can work as written. */
  accepted: 'Accepted',
  /** Everything that the spec names is there. */
  resolvedRefs: 'ResolvedRefs',
  /** Every running sidecar executes the current revision. */
  programmed: 'Programmed',
  /** Every log target takes records; there from the first time on that one did not. */
  targetsReady: 'TargetsReady',
} as const;

export const CONDITION_REASONS = {
  /** Nothing is wrong. */
  accepted: 'Accepted',
  /** Some parts cannot work and were compiled as invalid; the others serve. */
  partiallyInvalid: 'PartiallyInvalid',
  /** Everything named was found. */
  resolvedRefs: 'ResolvedRefs',
  /** A Secret that the spec names does not exist. */
  secretNotFound: 'SecretNotFound',
  /** A Secret exists but lacks the named key, or the key is empty. */
  secretKeyNotFound: 'SecretKeyNotFound',
  /** A route names an upstream that spec.upstreams does not have. */
  upstreamNotFound: 'UpstreamNotFound',
  /** A route names a tier that spec.tiers does not have. */
  tierNotFound: 'TierNotFound',
  /** An upstream that a route needs is invalid itself. */
  upstreamInvalid: 'UpstreamInvalid',
  /** A url cannot be parsed. */
  invalidUrl: 'InvalidUrl',
  /** A regular expression cannot be parsed. */
  invalidPattern: 'InvalidPattern',
  /** A route's tool loop or pacing cannot work as written. */
  invalidToolLoop: 'InvalidToolLoop',
  /** A route needs translation between dialects, which this version does not do. */
  translationUnsupported: 'TranslationUnsupported',
  /** The cluster's keys, with which tokens of service accounts are verified, are not to be had. */
  tokenKeysUnavailable: 'TokenKeysUnavailable',
  /** Every sidecar runs the current revision. */
  programmed: 'Programmed',
  /** The revision was delivered and some sidecars have not confirmed it yet. */
  rollingOut: 'RollingOut',
  /** Sidecars that refuse or do not pick up the revision. */
  podsStale: 'PodsStale',
  /** Sidecars whose metrics port does not answer the operator. */
  podsUnreachable: 'PodsUnreachable',
  /** Every log target takes records again. */
  targetsReady: 'TargetsReady',
  /** A log target does not take records from some sidecars, where they wait as far as the spool has room. */
  targetFailing: 'TargetFailing',
  /** The config could not be delivered. */
  deliveryFailed: 'DeliveryFailed',
} as const;
