/** The session with one MCP server: opened when it is needed, given up when it breaks, closed when nobody uses it any more. */
import type { Client } from '@modelcontextprotocol/client';
import type { McpServer } from '#contract/compiled-tool-loop.ts';
import { boundedFetch } from './bounded-body.ts';
import { credentialHeaders } from './credential.ts';
import { membersOf } from './tool.ts';

export const CONNECT_TIMEOUT_MS = 10_000;
/** Longest body of one answer: the library reads it whole, before a result could be cut. */
const MOST_ANSWER_BYTES = 32 * 1024 ** 2;

interface Session {
  readonly client: Client;
  users: number;
  /** Nobody new gets it. */
  dropped: boolean;
}

export class McpConnection {
  readonly #server: McpServer;
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #onToolsChanged: () => void;
  #session: Promise<Session> | undefined;
  #retired = false;

  constructor(server: McpServer, secrets: ReadonlyMap<string, string>, onToolsChanged: () => void) {
    this.#server = server;
    this.#secrets = secrets;
    this.#onToolsChanged = onToolsChanged;
  }

  /** Others' work in the same session goes on when this one fails. @throws what connecting or `work` throws */
  async use<T>(work: (client: Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    const session = await this.#open();
    session.users += 1;
    try {
      return await work(session.client);
    } catch (error) {
      // The connection may be lost, or the session; the next one begins anew.
      if (!signal.aborted && !isProtocolError(error)) this.#drop(session);
      throw error;
    } finally {
      session.users -= 1;
      if (this.#retired) this.#drop(session);
      closeIfUnused(session);
    }
  }

  /** What is under way ends in its own time. */
  async close(): Promise<void> {
    this.#retired = true;
    const session = await this.#session?.catch(() => undefined);
    if (session) this.#drop(session);
  }

  #open(): Promise<Session> {
    this.#session ??= this.#connect().catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });
    return this.#session;
  }

  /** Imported here, as it costs tens of MiB that a sidecar without MCP servers shall not pay. */
  async #connect(): Promise<Session> {
    const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
    const { url, credential } = this.#server;
    const transport = new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: credentialHeaders(credential, this.#secrets) },
      redirectPolicy: 'same-origin',
      fetch: boundedFetch(MOST_ANSWER_BYTES),
    });
    const client = new Client(
      { name: 'sluice', version: '1' },
      {
        versionNegotiation: { mode: 'auto' },
        listChanged: { tools: { onChanged: this.#onToolsChanged, autoRefresh: false } },
      },
    );
    await client.connect(transport, { timeout: CONNECT_TIMEOUT_MS });
    const session: Session = { client, users: 0, dropped: false };
    client.onclose = () => this.#drop(session);
    return session;
  }

  #drop(session: Session): void {
    if (!session.dropped) this.#session = undefined;
    session.dropped = true;
    closeIfUnused(session);
  }
}

function closeIfUnused({ client, users, dropped }: Session): void {
  if (dropped && users === 0) void client.close().catch(() => {});
}

/** A JSON-RPC error that the server answered: numbered, and about the call rather than the connection. */
export function isProtocolError(error: unknown): error is Error {
  return error instanceof Error && typeof (error as Error & { code?: unknown }).code === 'number';
}

/** The protocol's word for a session that the server does not know: nothing was executed. */
export function isSessionLost(error: unknown): boolean {
  return error instanceof Error && membersOf(membersOf(error)['data'])['status'] === 404;
}
