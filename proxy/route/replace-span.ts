/** The one change that a native body may get: another model in the place of the client's. */
import type { Span } from './scan-json.ts';

/** Only these bytes change: everything around them, spaces included, stays as the client wrote it. */
export function replaceSpan(bytes: Buffer, span: Span | undefined, model: string | undefined): Buffer[] {
  if (!span || model === undefined) return [bytes];
  return [bytes.subarray(0, span.start), Buffer.from(JSON.stringify(model)), bytes.subarray(span.end)];
}
