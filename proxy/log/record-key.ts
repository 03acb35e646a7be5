/** The name of one state of a record: records of a running stream have the id of the one that follows them, and a lower sequence. */

export interface RecordState {
  readonly id: string;
  readonly sequence: number;
}

/** As records tell it: one without progress records before it has no sequence. */
export type StateOfRecord = Pick<RecordState, 'id'> & Partial<RecordState>;

/** @returns the id alone for the first state */
export function recordKey({ id, sequence = 0 }: StateOfRecord): string {
  return sequence === 0 ? id : `${id}/${sequence}`;
}

export function readRecordKey(key: string): RecordState {
  const slash = key.lastIndexOf('/');
  const sequence = slash === -1 ? 0 : Number(key.slice(slash + 1));
  return Number.isSafeInteger(sequence) && sequence > 0
    ? { id: key.slice(0, slash), sequence }
    : { id: key, sequence: 0 };
}
