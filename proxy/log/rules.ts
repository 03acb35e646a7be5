/** What a config says about recording, made ready for use; each exchange keeps those that were in force when it began. */
import type { CompiledConfig } from '#contract/compiled.ts';
import type { BodyRules } from './body.ts';
import type { JsonPath } from './redact/json-path.ts';

export interface LogRules {
  readonly revision: string;
  /** Whether anybody takes records: without, nothing is kept for one. */
  readonly records: boolean;
  readonly bodies: BodyRules;
  /** Whether a record of a stream also holds the folded answer. */
  readonly assemble: boolean;
  /** How often a running stream is recorded; absent: only when it is over. */
  readonly partialsEveryMs?: number;
  /** RE2 patterns whose matches in bodies are hidden. */
  readonly patterns: readonly string[];
  /** Lower-case names of headers whose values are hidden. */
  readonly redactHeaders: ReadonlySet<string>;
  /** Lower-case names of headers that carry a credential of some upstream. */
  readonly secretHeaders: ReadonlySet<string>;
  /** Upstreams that are gateways of ours: they write records of their own, and count the tokens. */
  readonly gateways: ReadonlySet<string>;
}

/** In force until the first config is there: nothing of a body is kept. */
export const NO_RULES: LogRules = {
  revision: '',
  records: false,
  bodies: { maxBytes: 0, jsonPaths: [], redacts: false },
  assemble: false,
  patterns: [],
  redactHeaders: new Set(),
  secretHeaders: new Set(),
  gateways: new Set(),
};

const LEAST_EVERY_MS = 1_000;

export function rulesOf({ revision, logging, upstreams }: CompiledConfig): LogRules {
  const patterns: string[] = [];
  const jsonPaths: JsonPath[] = [];
  const redactHeaders = new Set<string>();
  for (const redaction of logging.redact) {
    switch (redaction.kind) {
      case 'pattern':
        patterns.push(redaction.pattern);
        break;
      case 'jsonPath':
        jsonPaths.push(redaction.path);
        break;
      case 'header':
        redactHeaders.add(redaction.header);
        break;
    }
  }
  const redacts = patterns.length > 0 || jsonPaths.length > 0;
  const secretHeaders = new Set(
    upstreams.flatMap((upstream) =>
      upstream.kind === 'valid'
        ? upstream.credentials.flatMap((source) => (source.kind === 'secret' ? [source.header] : []))
        : [],
    ),
  );
  const records = logging.targets.length > 0 || logging.audit !== undefined;
  return {
    revision,
    records,
    bodies: { maxBytes: logging.maxBodyBytes, jsonPaths, redacts },
    assemble: logging.assemble,
    ...(records &&
      logging.partialsEveryMs !== undefined && {
        partialsEveryMs: Math.max(LEAST_EVERY_MS, logging.partialsEveryMs),
      }),
    patterns,
    redactHeaders,
    secretHeaders,
    gateways: new Set(upstreams.flatMap((each) => (each.kind === 'valid' && each.gateway ? [each.name] : []))),
  };
}
