/** What tests of targets ask of writes. */
import assert from 'node:assert/strict';

/** The error that a write ends with; fails when it does not. */
export async function refusal(writing: Promise<unknown>): Promise<Error> {
  try {
    await writing;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  return assert.fail('it was taken');
}
