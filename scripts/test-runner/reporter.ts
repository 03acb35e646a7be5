/** node:test reporter that writes one JSON line a finished test and the counts at the end, for scripts/test-runner/stage.ts. */
import type { TestEvent } from 'node:test/reporters';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  cancelled: number;
  todo: number;
}

/** Only the top-level summary counts: one per file is sent as well. */
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type === 'test:pass' || event.type === 'test:fail') {
      if (event.data.details.type === 'suite') continue;
      const skipped = event.data.skip !== undefined && event.data.skip !== false;
      const outcome = event.type === 'test:fail' ? 'failed' : skipped ? 'skipped' : 'passed';
      yield `${JSON.stringify({ name: event.data.name, file: event.data.file, outcome, reason: event.data.skip })}\n`;
    } else if (event.type === 'test:summary' && event.data.file === undefined) {
      const { passed, failed, skipped, cancelled, todo } = event.data.counts as unknown as Counts;
      yield `${JSON.stringify({ counts: { passed, failed, skipped, cancelled, todo } })}\n`;
    }
  }
}
