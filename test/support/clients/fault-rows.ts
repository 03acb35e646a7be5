/** What clients saw under each fault, as rows: counted from answers and records, and rendered as the table of docs/faults.md. */
import type { ExchangeRecord } from '../../../proxy/log/record.ts';
import { counted } from './records.ts';
import type { Streamed } from './sse-client.ts';

export interface FaultRow {
  readonly fault: string;
  readonly requests: number;
  /** `status framing` → how many. */
  readonly clients: Readonly<Record<string, number>>;
  /** `end` with its detail's kind → how many. */
  readonly ends: Readonly<Record<string, number>>;
}

export function faultRow(fault: string, answers: readonly Streamed[], records: readonly ExchangeRecord[]): FaultRow {
  return {
    fault,
    requests: answers.length,
    clients: counted(answers.map(clientSaw)),
    ends: counted(records.map(({ end, side }) => (side === undefined ? end : `${end} (${side})`))),
  };
}

function clientSaw({ status, complete, headers }: Streamed): string {
  const error = headers['sluice-error'];
  if (typeof error === 'string') return `${status} ${error}`;
  return `${status} ${complete ? 'whole' : 'cut'}`;
}

const INTRODUCTION = `# Faults, and what clients saw

What an application gets when its upstream fails, counted by \`test/integration/faults.test.ts\`, which asserts every line and
fails when this table differs. \`UPDATE_DOCS=1 npm exec -- node --test test/integration/faults.test.ts\` writes it anew.

*cut*: the connection ended without its final chunk, so that every client library reports an error; nothing that was cut
looks whole. Our own answers carry their kind in the header \`sluice-error\`. The last column is \`end\` in records and metrics.

| fault | requests | clients saw | end |
|---|---|---|---|
`;

export function renderFaults(rows: readonly FaultRow[]): string {
  const cell = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([what, count]) => `${count} × ${what}`)
      .join(', ');
  const lines = rows.map((row) => `| ${row.fault} | ${row.requests} | ${cell(row.clients)} | ${cell(row.ends)} |`);
  return `${INTRODUCTION}${lines.join('\n')}\n`;
}
