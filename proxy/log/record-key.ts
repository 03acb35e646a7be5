/** The name of one state of a record: records of a running stream have the id of the one that follows them, and a lower sequence. */

export interface RecordState {
  readonly id: string;
  readonly sequence: number;
}

/** @param sequence absent in a record without progress records before it. @returns the id alone for the first state */
export function recordKey({ id, sequence = 0 }: { readonly id: string; readonly sequence?: number }): string {
  return sequence === 0 ? id : `${id}/${sequence}`;
}

export function readRecordKey(key: string): RecordState {
  const slash = key.lastIndexOf('/');
  const sequence = slash === -1 ? 0 : Number(key.slice(slash + 1));
  return Number.isSafeInteger(sequence) && sequence > 0
    ? { id: key.slice(0, slash), sequence }
    : { id: key, sequence: 0 };
}
