/** Ids of tool calls in requests: kept where the upstream's kind allows them, else replaced by what always replaces them. */
import { createHash } from 'node:crypto';
import type { Flavor } from '../flavors.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The same id gives the same result, so that a call and its result stay together over all turns of a conversation. */
export function callId(id: string, { callIds }: Flavor): string {
  if ('exactly' in callIds)
    return id.length === callIds.exactly && /^[a-zA-Z0-9]+$/.test(id) ? id : hashed(id, callIds.exactly);
  return id.length <= callIds.atMost ? id : hashed(id, callIds.atMost);
}

function hashed(id: string, chars: number): string {
  const bytes = createHash('sha512').update(id).digest();
  return Array.from(bytes.subarray(0, chars), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}
