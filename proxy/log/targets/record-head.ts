/** What a record says beside its two messages, read without these: its bodies are nearly all of its length. */

/** Neither can stand within a string of JSON text, where a quotation mark has a backslash before it. */
const MESSAGES_BEGIN = Buffer.from(',"request":{');
const MESSAGES_ENDED = Buffer.from(',"redactions":{');

/**
 * @param json a record; it is read whole where its members are not in the order in which we write them
 * @returns the record, without `request` and `response` where they could be passed over
 * @throws SyntaxError when it is no JSON
 */
export function readHead(json: Buffer): unknown {
  return (
    readAround(json, json.indexOf(MESSAGES_BEGIN), json.lastIndexOf(MESSAGES_ENDED)) ?? JSON.parse(json.toString())
  );
}

/** @returns undefined when what stands around the messages is no object: these were not of the record itself */
function readAround(json: Buffer, begin: number, end: number): object | undefined {
  if (begin === -1 || end < begin) return undefined;
  try {
    const before = JSON.parse(`${json.toString('utf8', 0, begin)}}`) as object;
    const after = JSON.parse(`{${json.toString('utf8', end + 1)}`) as object;
    return { ...before, ...after };
  } catch {
    return undefined;
  }
}
