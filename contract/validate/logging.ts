/** Rules about spec.logging: targets that this version serves, patterns that compile. */
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';

export function validateLogging(spec: StreamProxy['spec']): Finding[] {
  return (spec.logging?.targets ?? []).flatMap((target, index): Finding[] => {
    const kind = target.http ? 'http' : target.postgres ? 'postgres' : undefined;
    if (kind === undefined) return [];
    return [
      {
        kind: 'value',
        reason: CONDITION_REASONS.targetUnsupported,
        path: `spec.logging.targets[${index}].${kind}`,
        message: `Target kind ${kind} is not served by this version; use stdout or file.`,
        part: { kind: 'target', name: target.name },
      },
    ];
  });
}
