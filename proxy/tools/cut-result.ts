/** Bounds what of a result reaches the model; what is cut is said to be. */
import { cutAtCharacter } from '../log/body.ts';
import type { ToolContent, ToolResult } from './tool.ts';

/** @param maxBytes of all texts and images together */
export function cutResult({ content, isError }: ToolResult, maxBytes: number): ToolResult {
  let left = maxBytes;
  const kept = content.map((part): ToolContent => {
    const size = part.kind === 'text' ? Buffer.byteLength(part.text) : part.base64.length;
    if (size <= left) {
      left -= size;
      return part;
    }
    if (part.kind === 'image')
      return { kind: 'text', text: `[image left out: it exceeds the limit of ${maxBytes} bytes]` };
    const head = cutAtCharacter(Buffer.from(part.text).subarray(0, left)).toString('utf8');
    left = 0;
    return { kind: 'text', text: `${head}\n[cut: the result exceeds the limit of ${maxBytes} bytes]` };
  });
  return { content: kept, isError };
}
