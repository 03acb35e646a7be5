/** What the scanner of every protocol is: events out of bytes, facts out of events. A protocol adds how it reads one event. */
import type { Verdict } from '../../exchange.ts';
import type { StreamScanner } from '../scan.ts';
import { StreamFacts } from './facts.ts';
import { SseReader } from './sse.ts';
import type { Usage } from './usage.ts';

export abstract class EventScanner implements StreamScanner {
  protected readonly facts = new StreamFacts();
  protected readonly sse = new SseReader(() => this.event());

  get contentEvents(): number {
    return this.facts.contentEvents;
  }

  get model(): string | undefined {
    return this.facts.model;
  }

  get usage(): Usage | undefined {
    return this.facts.usage;
  }

  push(chunk: Buffer, from?: number, to?: number): void {
    this.sse.push(chunk, from, to);
  }

  verdict(): Verdict {
    return this.facts.verdict(this.sse.atBoundary);
  }

  /** Takes the event that `sse` holds, which is valid until this returns. */
  protected abstract event(): void;
}
