/** Parses the compiled bounds of the records that are kept for search. */
import type { CompiledAudit } from './compiled.ts';
import { at, type Place, readObject, readWhole } from './parse-fields.ts';

export function readAudit(value: unknown, place: Place): CompiledAudit {
  const fields = readObject(value, place);
  return {
    maxBytes: readWhole(fields['maxBytes'], at(place, 'maxBytes')),
    maxAgeMs: readWhole(fields['maxAgeMs'], at(place, 'maxAgeMs')),
  };
}
