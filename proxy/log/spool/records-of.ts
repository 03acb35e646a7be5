/** An `add` of the log -> its records, which lie one after the other in one buffer. */
import type { SpoolRequest } from './messages.ts';
import type { NewRecord } from './rows.ts';

export function recordsOf({ ids, lengths, bytes }: Extract<SpoolRequest, { readonly kind: 'add' }>): NewRecord[] {
  let from = 0;
  return ids.map((id, index) => {
    const json = bytes.subarray(from, from + (lengths[index] ?? 0));
    from += json.byteLength;
    return { id, json };
  });
}
