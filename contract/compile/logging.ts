/** spec.logging -> compiled logging. */
import type { CompiledAudit, CompiledLogging, Redaction } from '../compiled.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import { parseBytes, parseDurationMs } from '../units.ts';
import { compileTarget } from './targets.ts';

type Logging = NonNullable<StreamProxy['spec']['logging']>;
type RedactEntry = NonNullable<NonNullable<Logging['capture']>['redact']>[number];

const MIB = 1024 ** 2;
const DEFAULTS = { maxBodyBytes: MIB, spoolBytes: 256 * MIB, spoolMaxAgeMs: 24 * 3_600_000, partialsEveryMs: 30_000 };

export function compileLogging(spec: StreamProxy['spec'], findings: readonly Finding[]): CompiledLogging {
  const logging = spec.logging ?? {};
  return {
    maxBodyBytes: parseBytes(logging.capture?.maxBodyBytes ?? '1Mi') ?? DEFAULTS.maxBodyBytes,
    assemble: logging.capture?.assemble ?? false,
    ...(logging.capture?.partials && {
      partialsEveryMs: parseDurationMs(logging.capture.partialsEvery ?? '30s') ?? DEFAULTS.partialsEveryMs,
    }),
    redact: (logging.capture?.redact ?? []).flatMap(compileRedaction),
    spoolBytes: parseBytes(logging.spool?.maxBytes ?? '256Mi') ?? DEFAULTS.spoolBytes,
    spoolMaxAgeMs: parseDurationMs(logging.spool?.maxAge ?? '24h') ?? DEFAULTS.spoolMaxAgeMs,
    targets: (logging.targets ?? []).map((target) => compileTarget(target, findings)),
    ...(logging.audit?.enabled && { audit: compileAudit(logging.audit) }),
  };
}

function compileAudit({ maxBytes, maxAge }: NonNullable<Logging['audit']>): CompiledAudit {
  return {
    maxBytes: Math.max(parseBytes(maxBytes ?? '256Mi') ?? 256 * MIB, MIB),
    maxAgeMs: parseDurationMs(maxAge ?? '168h') ?? 168 * 3_600_000,
  };
}

function compileRedaction(entry: RedactEntry): Redaction[] {
  if (entry.header !== undefined) return [{ kind: 'header', header: entry.header.toLowerCase() }];
  if (entry.pattern !== undefined) return [{ kind: 'pattern', pattern: entry.pattern }];
  return entry.jsonPath === undefined ? [] : [{ kind: 'jsonPath', path: parseJsonPath(entry.jsonPath) }];
}

/** `$.a[0].b[*]` -> ['a', 0, 'b', '*']; the CRD's pattern allows nothing else. */
function parseJsonPath(text: string): (string | number)[] {
  return [...text.matchAll(/\.([A-Za-z0-9_-]+)|\[([0-9]+)\]|\[(\*)\]/g)].map(([, name, index]) => {
    if (name !== undefined) return name;
    return index === undefined ? '*' : Number(index);
  });
}
