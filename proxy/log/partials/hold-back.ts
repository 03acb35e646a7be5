/**
 * What a running stream's record leaves out where patterns hide something: its newest part. Half of what a pattern matches may
 * have come, which is no match yet, and would stand in a record that the whole one does not take back at every target.
 */
import type { BodyDraft } from '../body.ts';
import type { FactsSoFar } from '../exchange-facts.ts';

/** Some 400 tokens, at 160 bytes for an event of one. */
export const HELD_BACK_LENGTH = 64 * 1024;

export interface ShownBody {
  readonly draft: BodyDraft;
  /** After redaction. */
  readonly content: string;
}

/** @param shown the answer's body; patterns were replaced in all of it, so that a match across the cut is hidden as well */
export function heldBack({ end, rules }: FactsSoFar, { draft, content }: ShownBody): ShownBody {
  if (end !== undefined || rules.patterns.length === 0) return { draft, content };
  const kept = content.slice(0, Math.max(0, content.length - HELD_BACK_LENGTH)).toWellFormed();
  return { draft: { ...draft, facts: { ...draft.facts, truncated: true } }, content: kept };
}
