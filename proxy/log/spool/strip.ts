/** A record without the content of its bodies, for a spool that is full: who, when, how long, what it cost and how it ended stay. */

/** Members of a body that hold its content; size and digest stay. */
const CONTENT: readonly string[] = ['text', 'base64'];
const ASSEMBLED: readonly string[] = ['assembled', 'assembledSpoiled'];

/** @returns the shorter record, or undefined when there is nothing to take out of it */
export function stripBodies(json: Uint8Array): Buffer | undefined {
  let record: unknown;
  try {
    record = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString());
  } catch {
    return undefined;
  }
  const taken = ['request', 'response'].map((name) => stripBody(memberOf(memberOf(record, name), 'body')));
  const assembled = takeAssembled(memberOf(record, 'response'));
  return assembled || taken.includes(true) ? Buffer.from(JSON.stringify(record)) : undefined;
}

function stripBody(body: unknown): boolean {
  if (!isObject(body)) return false;
  const there = CONTENT.filter((name) => name in body);
  for (const name of there) delete body[name];
  if (there.length > 0) body['truncated'] = true;
  return there.length > 0;
}

/** What the bodies say, a second time in another form. */
function takeAssembled(response: unknown): boolean {
  if (!isObject(response)) return false;
  const there = ASSEMBLED.filter((name) => name in response);
  for (const name of there) delete response[name];
  return there.length > 0;
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
