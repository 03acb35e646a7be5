import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { foldStream } from '../../fold/fold-stream.ts';
import type { Form } from '../../translate/translator.ts';
import { REDACTED } from '../headers.ts';
import { replacePatterns } from './patterns.ts';

const PATTERNS = [
  '[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}',
  '\\bsk-[A-Za-z0-9_-]{16,}',
  '[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}',
];
const SECRETS = [
  '4111 1111 1111 1111',
  '4222222222222222',
  'sk-live-0a1b2c3d4e5f6a7b8c9d',
  'maria.roe+x@canary.example',
];

/** One character of a growing text: how it stands in the stream, and how once the secret is hidden. */
interface Unit {
  readonly before: string;
  readonly after: string;
}

/** What one event adds to a growing text. */
interface Part {
  readonly lane: number;
  readonly units: readonly Unit[];
}

const PROSE = ['a ', 'ü ', '"', '\\', '\n', '🌍', '\t', '/', ' {', '}', 'x, '];

/** A character as a JSON string may hold it: `escaped` asks for the long form. */
function inJson(character: string, escaped: boolean): string {
  if (!escaped) return JSON.stringify(character).slice(1, -1);
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
}

/** A text with a secret in it, in units; as a tool's arguments it is JSON in JSON. */
const unitsOf = (isArguments: boolean): fc.Arbitrary<Unit[]> => {
  const prose = fc.array(fc.tuple(fc.constantFrom(...PROSE), fc.boolean()), { maxLength: 6 });
  const secret = fc.tuple(fc.constantFrom(...SECRETS), fc.infiniteStream(fc.nat(9)));
  return fc.tuple(prose, secret, prose).map(([before, [hidden, dice], after]) => {
    const form = (text: string, escaped: boolean): string =>
      isArguments ? inJson(inJson(text, false), escaped) : inJson(text, escaped);
    const plain = (items: readonly (readonly [string, boolean])[]): Unit[] =>
      items.flatMap(([text, escaped]) =>
        Array.from(text, (each) => form(each, escaped)).map((each) => ({ before: each, after: each })),
      );
    const masked = Array.from(hidden, (each, i) => ({
      before: form(each, (dice.next().value ?? 1) === 0),
      after: i === 0 ? REDACTED : '',
    }));
    const outer = (text: string): Unit[] => [{ before: inJson(text, false), after: inJson(text, false) }];
    const inner = [...plain(before), ...plain([[' ', false]]), ...masked, ...plain([[' ', false]]), ...plain(after)];
    return isArguments ? [...outer('{"to":"'), ...inner, ...outer('"}')] : inner;
  });
};

/** The texts cut at random places, their parts in any order that keeps each text's own. */
const partsOf = (lanes: readonly fc.Arbitrary<Unit[]>[]): fc.Arbitrary<Part[]> =>
  fc.tuple(fc.tuple(...lanes), fc.array(fc.nat(7), { minLength: 200, maxLength: 200 })).map(([texts, dice]) => {
    const left = texts.map((units) => [...units]);
    const parts: Part[] = [];
    for (let roll = 0; left.some(({ length }) => length > 0); roll++) {
      const open = left.flatMap((units, lane) => (units.length > 0 ? [lane] : []));
      const lane = open[(dice[roll % 200] ?? 0) % open.length] ?? 0;
      parts.push({ lane, units: left[lane]?.splice(0, dice[(roll * 7 + 3) % 200]) ?? [] });
    }
    return parts;
  });

interface Shape {
  readonly form: Form;
  /** Which of its growing texts are a tool's arguments. */
  readonly lanes: readonly boolean[];
  readonly opening: string;
  readonly closing: string;
  readonly event: (lane: number, text: string) => string;
}

const named = (data: string): string => `event: ${JSON.parse(data.replaceAll('TEXT', '')).type}\ndata: ${data}\n\n`;
const block = (index: number, start: object): string =>
  named(JSON.stringify({ type: 'content_block_start', index, content_block: start }));
const item = (output_index: number, start: object): string =>
  named(JSON.stringify({ type: 'response.output_item.added', output_index, item: start }));

const SHAPES: readonly Shape[] = [
  {
    form: 'messages',
    lanes: [false, false, true],
    opening:
      named('{"type":"message_start","message":{"id":"msg_1","content":[],"usage":{"input_tokens":1}}}') +
      block(0, { type: 'thinking', thinking: '', signature: '' }) +
      block(1, { type: 'text', text: '' }) +
      block(2, { type: 'tool_use', id: 'toolu_1', name: 'send', input: {} }) +
      ': a comment\n\n',
    closing:
      named('{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}') +
      named('{"type":"message_stop"}'),
    event: (lane, text) => {
      const [type, member] = [
        ['thinking_delta', 'thinking'],
        ['text_delta', 'text'],
        ['input_json_delta', 'partial_json'],
      ][lane] ?? ['', ''];
      const data = `{ "type":"content_block_delta","index":${lane}, "delta":{"type":"${type}","${member}":"${text}"} }`;
      return `event: content_block_delta\ndata: ${data}\n\n${lane === 1 ? 'event: ping\ndata: {"type": "ping"}\n\n' : ''}`;
    },
  },
  {
    form: 'chat',
    lanes: [false, false, true, true, false],
    opening: 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\r\n\r\n',
    closing: 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\r\n\r\ndata: [DONE]\r\n\r\n',
    event: (lane, text) => {
      const call = (index: number): string => `{"tool_calls":[{"index":${index},"function":{"arguments":"${text}"}}]}`;
      const delta = [
        `{"content":"${text}"}`,
        `{"reasoning_content":"${text}"}`,
        call(0),
        call(1),
        `{"content":"${text}"}`,
      ][lane];
      // Members in the order of the alphabet, as some servers write them.
      return `data:{"choices":[{"delta":${delta},"finish_reason":null,"index":${lane === 4 ? 1 : 0}}],"id":"c-1"}\r\n\r\n`;
    },
  },
  {
    form: 'responses',
    lanes: [false, false, true],
    opening:
      named('{"type":"response.created","response":{"id":"resp_1","output":[]}}') +
      item(0, { type: 'reasoning', summary: [] }) +
      item(1, { type: 'message', content: [] }) +
      item(2, { type: 'function_call', arguments: '' }),
    closing: '',
    event: (lane, text) => {
      const [type, index] = [
        ['response.reasoning_summary_text.delta', '"summary_index":0'],
        ['response.output_text.delta', '"content_index":0'],
        ['response.function_call_arguments.delta', '"sequence_number":7'],
      ][lane] ?? ['', ''];
      return `event: ${type}\ndata: {"type":"${type}","output_index":${lane},${index},"delta":"${text}"}\n\n`;
    },
  },
];

function streamOf({ opening, closing, event }: Shape, parts: readonly Part[], form: keyof Unit): string {
  const text = (units: readonly Unit[]): string => units.map((unit) => unit[form]).join('');
  return opening + parts.map(({ lane, units }) => event(lane, text(units))).join('') + closing;
}

/** Every text of the folded answer, escapes of arguments undone. */
function saidIn(form: Form, stream: string): string {
  const { answer } = foldStream(form, Buffer.from(stream)) ?? {};
  return JSON.stringify(answer ?? null).replaceAll('\\', '');
}

async function redacted(
  text: string,
  patterns: readonly string[] = PATTERNS,
): Promise<{ text: string; count: number }> {
  const { texts, count } = await replacePatterns([text], patterns);
  return { text: texts[0] ?? '', count };
}

describe('redaction of a stream', () => {
  for (const shape of SHAPES) {
    it(`hides what deltas of ${shape.form} cut, wherever they do, and changes no other byte`, async () => {
      const property = fc.asyncProperty(partsOf(shape.lanes.map(unitsOf)), async (parts) => {
        const before = streamOf(shape, parts, 'before');
        assert.ok(SECRETS.some((secret) => saidIn(shape.form, before).includes(secret)));
        const { text, count } = await redacted(before);
        assert.equal(text, streamOf(shape, parts, 'after'));
        assert.equal(count, shape.lanes.length);
        const said = saidIn(shape.form, text);
        for (const secret of SECRETS) assert.ok(!said.includes(secret));
        assert.equal(said.split(REDACTED).length - 1, shape.lanes.length);
      });
      await fc.assert(property, { numRuns: 60, seed: 20_261_121 });
    });

    it(`hides what came of it where a record of ${shape.form} was cut, and never fails`, async () => {
      const [parts = []] = fc.sample(partsOf(shape.lanes.map(unitsOf)), { numRuns: 1, seed: 7 });
      const before = streamOf(shape, parts, 'before');
      for (let end = before.length; end > 0; end -= 11) {
        const said = saidIn(shape.form, (await redacted(before.slice(0, end))).text);
        for (const secret of SECRETS) assert.ok(!said.includes(secret), `cut at ${end}`);
      }
    });
  }

  it('hides all that stands as it is written, whatever is broken around it', async () => {
    const noise = fc.constantFrom(
      '"',
      '\\',
      '\n',
      '\r',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      'data: ',
      '\uFEFF',
      '\\u00',
      '',
      '🌍',
    );
    const lanes = (lane: number): fc.Arbitrary<Unit[]> => unitsOf(lane === 2);
    const streams = fc
      .constantFrom(...SHAPES)
      .chain((shape) =>
        fc.tuple(partsOf(shape.lanes.map((_, lane) => lanes(lane))).map((parts) => streamOf(shape, parts, 'before'))),
      );
    const hits = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), noise, fc.nat(3)), { maxLength: 12 });
    const property = fc.asyncProperty(streams, hits, async ([stream], wounds) => {
      let text = stream;
      for (const [where, put, gone] of wounds) {
        const at = Math.floor(where * text.length);
        text = text.slice(0, at) + put + text.slice(at + gone);
      }
      const { text: hidden } = await redacted(text);
      assert.doesNotMatch(hidden, /(?<!u)[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}|[a-z.]+@[a-z]+\.[a-z]{2,}/);
    });
    await fc.assert(property, { numRuns: 150, seed: 20_261_121 });
  });

  const delta = (index: number, text: string): string =>
    `data: {"type":"content_block_delta","index":${index},"delta":{"type":"text_delta","text":"${text}"}}\n\n`;

  it('joins a block that opens with a text, and no two messages', async () => {
    const opened =
      'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"4111 1111"}}\n\n';
    const { text } = await redacted(opened + delta(0, ' 1111 1111'));
    assert.equal(text, opened.replace('4111 1111', REDACTED) + delta(0, ''));
    const two = `${delta(0, '4111 1111')}data: {"type":"message_start","message":{}}\n\n${delta(0, ' 1111 1111')}`;
    assert.equal((await redacted(two)).text, two);
    const kinds = 'event: said\ndata: {"delta":"4111 1111 "}\n\nevent: thought\ndata: {"delta":"1111 1111"}\n\n';
    assert.equal((await redacted(kinds)).text, kinds);
    assert.equal((await redacted(kinds.replace('thought', 'said'))).count, 1);
  });

  it('hides whole what tells tokens of a hidden text again', async () => {
    const chunk = (text: string, more: string): string =>
      `data: {"choices":[{"index":0,"delta":{"content":"${text}"},"logprobs":{"content":[{"token":"${text}","logprob":-0.1${more}}],"refusal":null}}]}\n\n`;
    const echoes = (text: string): string =>
      `,"bytes":${JSON.stringify([...Buffer.from(text)])},"top_logprobs":[{"token":"${text}","logprob":-0.1}]`;
    const tokens = ['see ', '4111', ' 1111', ' 1111', ' 1111', '.'];
    const { text, count } = await redacted(tokens.map((token) => chunk(token, echoes(token))).join(''));
    const hidden = (token: string, put: string): string =>
      /1/.test(token) ? chunk(put, ',"bytes":[],"top_logprobs":[]') : chunk(token, echoes(token));
    assert.equal(text, tokens.map((token, i) => hidden(token, i === 1 ? REDACTED : '')).join(''));
    assert.equal(count, 2);
  });

  it('reads data on several lines, line ends of every kind, a byte order mark, and bytes that are no UTF-8', async () => {
    const pretty = (text: string): string =>
      `id: 1\ndata: {"choices":\ndata:\ndata: [{"delta":\ndata:{"content":"${text}"}}]}\n\n`;
    assert.equal((await redacted(pretty('4111 11') + pretty('11 1111 1111'))).text, pretty(REDACTED) + pretty(''));
    for (const [from, to] of [
      [/^/, '\uFEFF'],
      [/^/, '\u00EF\u00BB\u00BF'],
      [/\n/g, '\r'],
      [/\n/g, '\r\n'],
      [/\n\n/g, '\n: data: "\n\n\n'],
      [/u/g, '\u00C3u'],
    ] as const) {
      const written = (first: string, second: string): string =>
        (delta(3, first) + delta(3, second)).replaceAll(new RegExp(from, 'g'), to);
      assert.equal((await redacted(written('4111 11', '11 1111 1111'))).text, written(REDACTED, ''));
    }
  });

  it('takes no event for one before that it only begins and ends like', async () => {
    const event = (members: string): string => `data: {"choices":[{"delta":{${members}}}]}\n\n`;
    const [first, second, third] = ['"content":"see 4111"', '"content":" 1111 11","x":"-"', '"content":"11 1111"'].map(
      event,
    );
    assert.equal(
      (await redacted(`${first}${second}${third}`)).text,
      event(`"content":"see ${REDACTED}"`) + event('"content":"","x":"-"') + event('"content":""'),
    );
  });

  it('joins the texts of answers that are told as whole parts', async () => {
    const chunk = (text: string): string =>
      `data: {"candidates":[{"content":{"role":"model","parts":[{"text":"${text}"}]}}]}\r\n\r\n`;
    assert.equal((await redacted(chunk('4111 11') + chunk('11 1111 1111'))).text, chunk(REDACTED) + chunk(''));
  });

  it('searches a body that only looks like a stream, or events that are no JSON, as any text', async () => {
    for (const text of [
      'data: 4111 1111 1111 1111\n\n',
      'data: {"delta":{"text":"4111 1111 1111 1111\n\n',
      'x\ndata: [4111 1111 1111 1111',
    ]) {
      assert.equal((await redacted(text)).text, text.replace('4111 1111 1111 1111', REDACTED));
    }
    const deep = `data: {"delta":${'{"a":['.repeat(20_000)}"4111 1111 1111 1111"\n\n`;
    assert.equal((await redacted(deep)).count, 1);
  });

  it('bears as many matches as there are characters', async () => {
    const stream = delta(0, 'a\\n'.repeat(100_000)) + delta(0, 'b');
    const { text, count } = await redacted(stream, ['[ab]']);
    // Among them those in the frames of both events.
    assert.equal(count - (await redacted(delta(0, '') + delta(0, ''), ['[ab]'])).count, 100_001);
    assert.equal(text.split(`${REDACTED}\\n`).length, 100_001);
  });
});
