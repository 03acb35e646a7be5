/** YAML text → plain values of its documents, or the problems with line and column. Strict where readers of YAML differ. */
import type { Document, LineCounter, visit } from 'yaml';
import type { Problem } from '#contract/finding.ts';

export type ParsedYaml =
  | { readonly kind: 'documents'; readonly documents: readonly unknown[] }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/**
 * Kubernetes reads YAML 1.1 (`yes` is true, 017 is 15, 1_000 is 1000), this parser 1.2 (text, 17, text). Nobody shall get another
 * meaning by moving a file to a cluster, so plain scalars that differ are refused.
 */
const DIFFERS = /^(?:[yn]|yes|no|on|off|[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*_[0-9_]*|[-+]?0b[01_]+)$/i;

/** Parses every document; empty ones (a trailing `---`) are left out. */
export async function parseYaml(text: string): Promise<ParsedYaml> {
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const parsed = yaml.parseAllDocuments(text, { merge: true, prettyErrors: false, lineCounter: lines });
  const documents = [...parsed].filter((document) => !isEmpty(document));
  const problems = documents.flatMap((document) => [
    ...[...document.errors, ...document.warnings].map((e) =>
      at(lines, e.pos[0], e.code === 'DUPLICATE_KEY' ? duplicateKey(text, e.pos[0]) : e.message),
    ),
    ...differingScalars(document, lines, yaml.visit),
  ]);
  if (problems.length > 0) return { kind: 'problems', problems };
  try {
    return { kind: 'documents', documents: documents.map((document) => document.toJS()) };
  } catch (error) {
    // An alias without its anchor, or aliases that would expand without bound.
    return {
      kind: 'problems',
      problems: [{ path: '', message: error instanceof Error ? error.message : String(error) }],
    };
  }
}

/** Such as what follows a trailing `---`. */
function isEmpty({ errors, contents }: Document): boolean {
  return errors.length === 0 && (contents === null || ('value' in contents && contents.value === null));
}

function duplicateKey(text: string, offset: number): string {
  const key = /^["']?[A-Za-z0-9_./-]+/.exec(text.slice(offset, offset + 100))?.[0] ?? 'A key';
  return `${key} is there twice in the same map; keep one of them`;
}

function differingScalars(document: Document, lines: LineCounter, visitNodes: typeof visit): Problem[] {
  const problems: Problem[] = [];
  visitNodes(document, {
    Scalar(_key, node) {
      if (node.type !== 'PLAIN' || node.source === undefined || !DIFFERS.test(node.source)) return;
      const message = `${node.source} means one thing in YAML 1.1 and another in YAML 1.2; write "${node.source}" in quotes for text, or else the plain number, true or false`;
      problems.push(at(lines, node.range?.[0] ?? 0, message));
    },
  });
  return problems;
}

function at(lines: LineCounter, offset: number, message: string): Problem {
  const { line, col } = lines.linePos(offset);
  return { path: '', message: `Line ${line}, column ${col}: ${message}` };
}
