/** A tool behind plain HTTP: POST of name and arguments, the body of the answer is the result. */
import type { HttpTool } from '#contract/compiled-tool-loop.ts';
import { errorCode } from '../unreachable.ts';
import { readBounded } from './bounded-body.ts';
import { credentialHeaders } from './credential.ts';
import { type Json, type Tool, type ToolResult, textResult } from './tool.ts';

const IMAGE_TYPE = /^image\/(?:png|jpeg|gif|webp)$/;

export function httpTool(config: HttpTool, secrets: ReadonlyMap<string, string>, maxResultBytes: number): Tool {
  const { name, description, inputSchema } = config;
  return {
    name,
    description,
    inputSchema,
    call: async (args, signal) => {
      const response = await post(config, args, secrets, signal);
      // One byte more than fits, so that whoever cuts the result sees that there was more.
      const { bytes } = await readBounded(response, maxResultBytes + 1);
      return resultOf(response, bytes);
    },
  };
}

async function post(
  { name, url, credential }: HttpTool,
  args: Json,
  secrets: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...credentialHeaders(credential, secrets) };
  const body = JSON.stringify({ name, arguments: args });
  try {
    // A redirect would carry the credential to wherever it points.
    return await fetch(url, { method: 'POST', headers, body, redirect: 'error', signal });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new Error(`The tool's server cannot be reached: ${errorCode(error)}`, { cause: error });
  }
}

function resultOf(response: Response, bytes: Buffer): ToolResult {
  const type = (response.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (response.ok && IMAGE_TYPE.test(type)) {
    return { content: [{ kind: 'image', mediaType: type, base64: bytes.toString('base64') }], isError: false };
  }
  const text = bytes.toString('utf8');
  return response.ok ? textResult(text) : textResult(`Status ${response.status}: ${text}`, true);
}
