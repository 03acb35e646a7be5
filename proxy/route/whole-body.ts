/** A request body that was made here, such as a later turn of a tool loop: whole from the start, sent as often as needed. */
import type { OutgoingBody, SendableBody } from './outgoing-body.ts';
import { replaceSpan } from './replace-span.ts';
import { TopLevelScanner } from './scan-json.ts';

export class WholeBody implements SendableBody {
  readonly whole = true;
  readonly replayable = true;
  readonly waitsForClient = false;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  send(model?: string): OutgoingBody {
    if (model === undefined) return { kind: 'whole', bytes: this.#bytes };
    const scanner = new TopLevelScanner();
    scanner.push(this.#bytes);
    return { kind: 'whole', bytes: Buffer.concat(replaceSpan(this.#bytes, scanner.modelSpan, model)) };
  }

  async gather(): Promise<void> {}

  fail(): void {}
}
