import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type SseEvent, SseEventReader } from '../../translate/sse.ts';
import { PlacedEvents } from './data-places.ts';

/** What the reader of live streams makes of it: the oracle. */
function readLive(text: string): SseEvent[] {
  const events: SseEvent[] = [];
  const reader = new SseEventReader((event) => events.push(event));
  reader.push(Buffer.from(text));
  reader.end();
  return events;
}

describe('PlacedEvents', () => {
  it('reads what the reader of live streams reads, and knows where each character of data stands', () => {
    const part = fc.constantFrom(
      'data',
      'data:',
      'data: ',
      'event:',
      'event: ',
      'id: 1',
      ':',
      ' ',
      'a',
      '{"x":',
      '🌍',
      'dat',
      '\n',
      '\n\n',
      '\r',
      '\r\n',
      '\r\n\r\n',
      '\uFEFF',
      '\u00EF\u00BB\u00BF',
    );
    const property = fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      const text = parts.join('');
      const placed = new PlacedEvents(text);
      const events: SseEvent[] = [];
      let end = 0;
      for (let event = placed.next(); event !== undefined; event = placed.next()) {
        events.push({ name: event.name, data: event.data });
        assert.ok(event.start >= end && event.end === placed.at, 'events stand in order');
        end = event.end;
        for (const [at, character] of event.data.split('').entries()) {
          if (character !== '\n') assert.equal(text[event.place({ start: at, end: at + 1 }).start], character);
        }
      }
      assert.deepEqual(events, readLive(text));
    });
    fc.assert(property, { numRuns: 800, seed: 20_261_121 });
  });

  it('looks at each character a few times at most, whatever ends the lines', (t) => {
    for (const ending of ['\n', '\r', '\r\n']) {
      const text = `data: {"a":1}${ending}${ending}`.repeat(1000);
      const { mock } = t.mock.method(String.prototype, 'indexOf');
      const events = new PlacedEvents(text);
      while (events.next() !== undefined);
      mock.restore();
      const passed = mock.calls.map(({ result = -1, arguments: [, from = 0] }) =>
        result === -1 ? text.length - from : result - from,
      );
      const seen = passed.reduce((sum, each) => sum + each, 0);
      assert.equal(events.at, text.length);
      assert.ok(seen > 0 && seen <= 3 * text.length, `${JSON.stringify(ending)}: ${seen} of ${text.length}`);
    }
  });
});
