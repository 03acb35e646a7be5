/* The picture of an exchange's timing: how long it waited, what came when, and where nothing came. */
import { draw, duration, GOOD_ENDS, make, RUNNING, size } from './elements.js';

/** [time, bytes so far] of each chunk. */
function arrivalsOf({ response }) {
  const { deltasMs = [], bytes = [] } = response?.arrivals ?? {};
  let at = 0;
  let sum = 0;
  return deltasMs.map((delta, i) => {
    at += delta;
    sum += bytes[i] ?? 0;
    return [at, sum];
  });
}

/** Silences between chunks that stand out: longer than half a second, and than five times the usual. */
function gapsOf(chunks) {
  const waits = chunks.slice(1).map(([at], i) => ({ from: chunks[i][0], to: at }));
  const usual = waits.map(({ from, to }) => to - from).sort((a, b) => a - b)[Math.floor(waits.length / 2)] ?? 0;
  return waits.filter(({ from, to }) => to - from > Math.max(500, 5 * usual));
}

const BAR = { y: 4, height: 14 };
const CURVE = { top: 30, height: 62 };

/** @param width of the picture, in pixels: it is drawn at its own size, so that its words are as large as others */
export function pictureOf(record, width) {
  const { firstByte, firstContent, lastByte, ended = lastByte ?? 0 } = record.offsetsMs;
  const total = Math.max(ended, 1);
  const x = (ms) => Math.round((Math.min(ms, total) / total) * width * 100) / 100;
  const chunks = arrivalsOf(record);
  const gaps = gapsOf(chunks);
  const name = `Timing: first byte after ${duration(firstByte) || 'never'}, ended after ${duration(ended)} as ${record.end ?? RUNNING}, ${chunks.length} chunks, ${gaps.length} gaps`;
  const svg = draw('svg', { viewBox: `0 0 ${width} 118`, role: 'img', 'aria-label': name });
  const bar = (from, to, cls) => {
    if (to > from) svg.append(draw('rect', { x: x(from), y: BAR.y, width: Math.max(1, x(to) - x(from)), height: BAR.height, rx: 2, class: cls }));
  };
  bar(0, firstByte ?? total, 'waiting');
  if (firstByte !== undefined) {
    bar(firstByte, firstContent ?? lastByte ?? firstByte, 'head');
    bar(firstContent ?? firstByte, lastByte ?? total, 'streaming');
  }
  if (!record.partial && !GOOD_ENDS.includes(record.end)) bar(Math.max(lastByte ?? 0, total - total / 120), total, 'broken');
  svg.append(...gaps.flatMap((gap) => drawGap(gap, x)), ...drawChunks(chunks, x), ...drawAxis(total, width, x));
  return make(
    'figure',
    { cls: 'picture' },
    make('h3', {}, 'Timing'),
    svg,
    make('ul', { cls: 'legend' }, ...legendOf(record, chunks, gaps)),
  );
}

function drawGap({ from, to }, x) {
  const width = x(to) - x(from);
  const area = draw('rect', { x: x(from), y: BAR.y + BAR.height + 3, width, height: CURVE.top + CURVE.height - BAR.y - BAR.height - 3, class: 'gap' }, draw('title', {}, `Nothing for ${duration(to - from)}`));
  const label = draw('text', { x: x(from) + width / 2, y: CURVE.top + 10, 'text-anchor': 'middle', class: 'gapname' }, duration(to - from));
  return width > 44 ? [area, label] : [area];
}

/** A tick for each chunk, and how much had come by then. */
function drawChunks(chunks, x) {
  const sum = chunks.at(-1)?.[1] ?? 0;
  const bottom = CURVE.top + CURVE.height;
  if (sum === 0) return [];
  let path = `M${x(chunks[0][0])} ${bottom}`;
  for (const [at, bytes] of chunks) path += `H${x(at)}V${Math.round((bottom - (bytes / sum) * CURVE.height) * 100) / 100}`;
  const ticks = [...new Set(chunks.map(([at]) => Math.round(x(at) * 2) / 2))].map((at) => `M${at} ${bottom - 7}v7`).join('');
  return [draw('path', { d: ticks, class: 'chunk' }), draw('path', { d: path, class: 'sum' })];
}

function drawAxis(total, width, x) {
  const bottom = CURVE.top + CURVE.height + 0.5;
  const rough = total / (width / 110);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * unit).find((each) => each >= rough) ?? rough;
  const parts = [draw('line', { x1: 0, x2: width, y1: bottom, y2: bottom, class: 'axis' })];
  for (let at = 0; at <= total; at += step) {
    const anchor = at === 0 ? 'start' : x(at) > width - 20 ? 'end' : 'middle';
    parts.push(draw('line', { x1: x(at), x2: x(at), y1: bottom, y2: bottom + 4, class: 'axis' }));
    parts.push(draw('text', { x: x(at), y: bottom + 16, 'text-anchor': anchor }, step < 1000 && total < 10_000 ? `${Math.round(at)} ms` : `${Math.round(at / 100) / 10} s`));
  }
  return parts;
}

function legendOf({ offsetsMs, response }, chunks, gaps) {
  const { firstByte, firstContent, ended } = offsetsMs;
  const merged = response?.arrivals?.merged;
  const longest = gaps.reduce((most, { from, to }) => Math.max(most, to - from), 0);
  const items = [
    ['First byte', duration(firstByte)],
    ['First content', duration(firstContent)],
    ['End', duration(ended)],
    ['Chunks', chunks.length > 0 ? `${chunks.length}${merged ? ` of ${merged} each` : ''}, ${size(response.body?.bytes ?? 0)}` : ''],
    ['Gaps', gaps.length > 0 ? `${gaps.length}, the longest ${duration(longest)}` : ''],
  ];
  return items.filter(([, value]) => value !== '').map(([name, value]) => make('li', {}, `${name} `, make('b', {}, value)));
}
