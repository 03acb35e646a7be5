/** Rule about spec.logging.capture.redact: every pattern is an RE2 expression. */
import { RE2JS, RE2JSSyntaxException } from 're2js';
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';

export function validateRedaction({ logging }: StreamProxy['spec']): Finding[] {
  return (logging?.capture?.redact ?? []).flatMap(({ pattern }, index): Finding[] => {
    const fault = pattern === undefined ? undefined : faultOf(pattern);
    if (fault === undefined) return [];
    return [
      {
        kind: 'value',
        reason: CONDITION_REASONS.invalidPattern,
        path: `spec.logging.capture.redact[${index}].pattern`,
        message:
          `"${pattern}" is no RE2 expression (${fault}): until it is corrected every body is recorded as [redacted]. ` +
          'RE2 has no lookaround and no back-references.',
        part: { kind: 'redaction', name: `redact[${index}]` },
      },
    ];
  });
}

/** A long one takes a tenth of a second, and resources are validated again whenever something near them changes. */
const known = new Map<string, string | undefined>();
const MOST_KNOWN = 1000;

/** @returns why the pattern does not compile; undefined: it does */
function faultOf(pattern: string): string | undefined {
  if (!known.has(pattern)) {
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(pattern, compileFault(pattern));
  }
  return known.get(pattern);
}

function compileFault(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    return error instanceof RE2JSSyntaxException ? error.error : 'it cannot be compiled';
  }
}
