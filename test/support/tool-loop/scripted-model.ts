/** A model that takes its turns from a script, in the Messages and the Chat Completions API; what it was asked is kept. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chatChunks, chatWhole } from './chat-wire.ts';
import { messageEvents, messageWhole } from './messages-wire.ts';

export interface ScriptedCall {
  readonly name: string;
  readonly args?: unknown;
  /** In place of `args`, as they are. */
  readonly argumentsText?: string;
}

/** One turn. */
export interface ScriptedTurn {
  readonly thinking?: string;
  readonly text?: string;
  readonly calls?: readonly ScriptedCall[];
  /** Messages' stop_reason; by default what fits the calls. */
  readonly stop?: string;
  /** Refuses with that status. */
  readonly status?: number;
  /** Closes the connection before this event, from 0. */
  readonly cutAt?: number;
  /** Sends an error event before this event, from 0, and ends. */
  readonly errorAt?: number;
  /** Waits before this event, from 0, until the promise resolves. */
  readonly holdAt?: number;
  readonly hold?: Promise<void>;
}

/** A request as the model got it. */
export interface Asked {
  readonly path: string;
  readonly body: {
    readonly messages: readonly { readonly role: string; readonly content: unknown }[];
    readonly tools?: readonly unknown[];
    readonly tool_choice?: unknown;
    readonly stream?: boolean;
  };
  /** Resolves when its connection or answer is over; `true`: it was sent whole. */
  readonly ended: Promise<boolean>;
}

export class ScriptedModel {
  readonly asked: Asked[] = [];
  /** The turns to come; the last one is repeated. */
  script: readonly ScriptedTurn[] = [];
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy());
  });
  #wake: (() => void)[] = [];

  static async start(): Promise<ScriptedModel> {
    const model = new ScriptedModel();
    model.#server.listen(0, '127.0.0.1');
    await once(model.#server, 'listening');
    return model;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Begins another conversation. */
  play(...script: ScriptedTurn[]): void {
    this.script = script;
    this.asked.length = 0;
  }

  /** The request of that number, past or to come. */
  async request(index: number): Promise<Asked> {
    for (;;) {
      const asked = this.asked[index];
      if (asked) return asked;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as Asked['body'];
    const ended = once(response, 'close').then(() => response.writableFinished);
    const index = this.asked.length;
    this.asked.push({ path: request.url ?? '', body, ended });
    for (const wake of this.#wake.splice(0)) wake();
    const turn = this.script[Math.min(index, this.script.length - 1)] ?? {};
    const isChat = request.url === '/v1/chat/completions';
    if (turn.status !== undefined) return refuse(response, turn.status, isChat);
    if (body.stream !== true) {
      if (turn.hold) await turn.hold;
      const whole = isChat ? chatWhole(turn, index) : messageWhole(turn, index);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(whole));
      return;
    }
    await stream(response, isChat ? chatChunks(turn, index, body) : messageEvents(turn, index), turn, isChat);
  }
}

async function stream(
  response: ServerResponse,
  events: readonly string[],
  { cutAt, errorAt, holdAt, hold }: ScriptedTurn,
  isChat: boolean,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  for (const [index, event] of events.entries()) {
    if (index === holdAt) await hold;
    if (index === cutAt) {
      response.destroy();
      return;
    }
    if (index === errorAt) {
      response.end(isChat ? `data: ${refusal(true)}\n\n` : `event: error\ndata: ${refusal(false)}\n\n`);
      return;
    }
    await new Promise<void>((resolve) => response.write(event, () => resolve()));
  }
  response.end();
}

function refuse(response: ServerResponse, status: number, isChat: boolean): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(refusal(isChat));
}

function refusal(isChat: boolean): string {
  return JSON.stringify(
    isChat
      ? { error: { message: 'Scripted refusal', type: 'server_error', param: null, code: null } }
      : { type: 'error', error: { type: 'overloaded_error', message: 'Scripted refusal' } },
  );
}
