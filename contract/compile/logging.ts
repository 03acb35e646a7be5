/** spec.logging -> compiled logging. */
import type { CompiledLogging, CompiledTarget, Redaction } from '../compiled.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import { parseBytes } from '../units.ts';

type Logging = NonNullable<StreamProxy['spec']['logging']>;
type Target = NonNullable<Logging['targets']>[number];
type RedactEntry = NonNullable<NonNullable<Logging['capture']>['redact']>[number];

const MIB = 1024 ** 2;
const DEFAULTS = { maxBodyBytes: MIB, spoolBytes: 256 * MIB, fileBytes: 64 * MIB };

export function compileLogging(spec: StreamProxy['spec'], findings: readonly Finding[]): CompiledLogging {
  const logging = spec.logging ?? {};
  return {
    maxBodyBytes: parseBytes(logging.capture?.maxBodyBytes ?? '1Mi') ?? DEFAULTS.maxBodyBytes,
    redact: (logging.capture?.redact ?? []).flatMap(compileRedaction),
    spoolBytes: parseBytes(logging.spool?.maxBytes ?? '256Mi') ?? DEFAULTS.spoolBytes,
    targets: (logging.targets ?? []).map((target) => compileTarget(target, findings)),
  };
}

function compileTarget(target: Target, findings: readonly Finding[]): CompiledTarget {
  const { name } = target;
  const broken = findings.find((f) => f.part.kind === 'target' && f.part.name === name);
  if (target.stdout) return { kind: 'stdout', name };
  if (target.file) {
    return {
      kind: 'file',
      name,
      path: target.file.path,
      maxBytes: parseBytes(target.file.maxBytes ?? '64Mi') ?? DEFAULTS.fileBytes,
    };
  }
  return { kind: 'invalid', name, message: broken?.message ?? 'This version serves no target of this kind.' };
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
