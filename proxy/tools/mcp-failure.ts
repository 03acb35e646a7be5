/** Why an MCP server could not be asked: what its library threw -> words of ours, and what to do. Nothing that the server said is repeated. */
import { isUntrusted, wayOut } from '../unreachable.ts';
import { membersOf } from './tool.ts';

/** Values of a metric's label. */
export type McpFailureKind =
  /** No connection, or it broke. */
  | 'unreachable'
  /** No answer in time. */
  | 'timeout'
  /** An HTTP status from 400 on. */
  | 'refused'
  /** Something answered that speaks no MCP. */
  | 'no_mcp';

export interface McpFailure {
  readonly kind: McpFailureKind;
  /** Such as `ECONNREFUSED` or `HTTP 401`. */
  readonly reason: string;
  /** A sentence: what whoever wrote the resource may do. */
  readonly wayOut: string;
}

export function mcpFailure(error: unknown): McpFailure {
  const chain = causesOf(error);
  const status = chain
    .map((each) => membersOf(membersOf(each)['data'])['status'])
    .find((each) => Number.isInteger(each));
  if (typeof status === 'number') return { kind: 'refused', reason: `HTTP ${status}`, wayOut: afterStatus(status) };
  const codes = chain.map((each) => membersOf(each)['code']).filter((code) => typeof code === 'string');
  if (codes.includes('REQUEST_TIMEOUT') || chain.some((each) => each.name === 'TimeoutError')) {
    return {
      kind: 'timeout',
      reason: 'no answer in time',
      wayOut: 'Look whether it is overloaded, or a NetworkPolicy keeps us away.',
    };
  }
  const network = codes.findLast(isNetworkCode);
  if (network !== undefined) {
    const reason = network === 'UND_ERR_SOCKET' ? 'it closed the connection' : network;
    return { kind: 'unreachable', reason, wayOut: afterCode(network) };
  }
  if (codes.includes('CLIENT_HTTP_UNEXPECTED_CONTENT')) {
    return { kind: 'no_mcp', reason: 'its answer is none of MCP', wayOut: OTHER_URL };
  }
  // The library wraps what fetch threw; what it says of itself alone is about the protocol.
  const isFetch = chain.some((each) => each.name === 'TypeError');
  if (isFetch)
    return { kind: 'unreachable', reason: 'no connection', wayOut: 'Correct the host and the port of its address.' };
  return { kind: 'no_mcp', reason: chain.at(-1)?.name ?? 'unknown', wayOut: OTHER_URL };
}

const OTHER_URL = "Correct its url: it must be the server's endpoint for MCP over streamable HTTP.";
const MOST_CAUSES = 8;

function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  let next = error;
  while (next instanceof Error && chain.length < MOST_CAUSES) {
    chain.push(next);
    next = next.cause ?? membersOf(membersOf(next)['data'])['cause'];
  }
  return chain;
}

/** Those of the system, of TLS and of Node's own HTTP client. */
function isNetworkCode(code: string): boolean {
  return /^(?:E[A-Z]+|ERR_(?:SSL|TLS)_\w+|UND_ERR_\w+|(?:\w+_)?CERT(?:_\w+)?|UNABLE_TO_\w+)$/.test(code);
}

function afterCode(code: string): string {
  // No authority can be named for a tool's server.
  if (isUntrusted(code)) return 'Give the server a certificate of a public authority.';
  const way = wayOut(code) ?? 'start it, or correct the port of its address';
  return `${way.charAt(0).toUpperCase()}${way.slice(1)}.`;
}

function afterStatus(status: number): string {
  if (status === 401 || status === 403) return 'Put a key that it takes into the Secret that its `secret` names.';
  if (status >= 500) return "Look at the server's own log.";
  return OTHER_URL;
}
