/** The figures of one run as docs/fuzz.md. */
import type { HttpFigures } from './http.ts';
import type { ScannerFigures } from './scanner.ts';

export interface FuzzRun {
  readonly seconds: number;
  readonly seed: number;
  readonly http: HttpFigures;
  readonly scanner: ScannerFigures;
}

export function renderFigures({ seconds, seed, http, scanner }: FuzzRun): string {
  const statuses = Object.entries(http.answered)
    .map(([status, count]) => `${status}: ${count}`)
    .join(', ');
  return `# Hostile bytes

\`npm run fuzz -- --seconds N [--seed N]\` sends mutated bytes for so many seconds (30 by default), half of the time at each of
two doors, and exits 1 with the bytes when one of these promises breaks. A short form runs with the integration tests.

**Requests**, over raw sockets to the proxy as a process, from seeds that carry a second request in their body or behind them:
- the proxy never crashes, never answers 500, and no observer of an exchange fails;
- what a strict parser of RFC 9112 refuses (\`test/fuzz/strict-request.ts\`) is never answered with 2xx;
- everything that reaches the upstream passes the same strict parser, and no request inside another one ever does.

**Streams**, recorded ones through the scanner that decides about the end and counts tokens:
- it never throws;
- verdict, content, model and usage are the same for any chunking of the same bytes;
- the terminal event is never seen where it was cut off.

## Last run
\`npm run fuzz -- --seconds ${seconds} --seed ${seed} --write\`

| | |
|---|---|
| mutated requests | ${http.requests} |
| of them refused by the strict parser | ${http.ambiguous} |
| first answers (\`silent\`: the request lost its end; \`none\`: closed without one) | ${statuses} |
| whole requests that reached the upstream | ${http.reachedUpstream} |
| mutated streams, of ${scanner.recordings} recordings | ${scanner.streams} |
| of them without their terminal event | ${scanner.cutShort} |
| found | ${http.failures.length + scanner.failures.length} |
`;
}
