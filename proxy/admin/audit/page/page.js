/* Search, results and one conversation. Its modules are joined into one script when the page is put together. */
import { duration, GOOD_ENDS, make, RUNNING, size } from './elements.js';
import { pictureOf } from './timing.js';

const FIELDS = ['q', 'from', 'to', 'route', 'model', 'agent', 'end', 'id'];
const FILTERS = FIELDS.filter((name) => name !== 'q');

const byId = (id) => document.getElementById(id);
const form = byId('search');
const hits = byId('hits');
const reading = byId('reading');

let next;
let asked = 0;

const when = (iso) => new Date(iso).toLocaleString();
const endOf = (end = RUNNING) => make('span', { cls: [...GOOD_ENDS, RUNNING].includes(end) ? 'end' : 'end bad' }, end);

async function ask(path) {
  const answer = await fetch(path, { headers: { accept: 'application/json' } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error?.message ?? `The answer was ${answer.status}`);
  return body;
}

/** What the form says, as parameters; times of day are the reader's own. */
function parameters() {
  const search = new URLSearchParams();
  for (const name of FIELDS) {
    const value = form.elements[name].value.trim();
    if (value !== '') search.set(name, name === 'from' || name === 'to' ? new Date(value).toISOString() : value);
  }
  return search;
}

function showActive() {
  const count = FILTERS.filter((name) => form.elements[name].value !== '').length;
  byId('active').textContent = count > 0 ? `(${count})` : '';
}

async function search(more = false) {
  const ticket = ++asked;
  const wanted = parameters();
  if (more && next !== undefined) wanted.set('cursor', next);
  byId('status').textContent = 'Searching …';
  try {
    const page = await ask(`audit?${wanted}`);
    if (ticket !== asked) return;
    if (!more) hits.replaceChildren();
    hits.append(...page.hits.map(hitOf));
    next = page.next;
    byId('more').hidden = next === undefined;
    byId('status').textContent = said(hits.children.length);
    byId('archive').textContent = `${page.archive.records} records, ${size(page.archive.usedBytes)}`;
    // A page may have come to its limit of time before it found anything.
    if (next !== undefined && hits.children.length === 0) await search(true);
  } catch (error) {
    if (ticket === asked) byId('status').textContent = error.message;
  }
  showCurrent();
}

function said(found) {
  if (found === 0) return 'Nothing found.';
  return `${found}${next === undefined ? '' : ' or more'} found, newest first`;
}

function hitOf(hit) {
  const snippet = make('span', { cls: 'snippet' });
  for (const { text, match } of hit.snippet) snippet.append(match ? make('mark', {}, text) : text);
  const button = make(
    'button',
    { type: 'button', cls: 'hit', 'data-id': hit.id },
    make('span', { cls: 'top' }, make('time', { datetime: hit.received }, when(hit.received)), duration(hit.durationMs), endOf(hit.end)),
    make('span', { cls: 'model' }, [hit.model, hit.route, hit.agent].filter(Boolean).join(' · ') || `status ${hit.status}`),
    snippet,
  );
  button.addEventListener('click', () => {
    location.hash = `#${encodeURIComponent(hit.id)}`;
  });
  return make('li', {}, button);
}

function showCurrent() {
  const id = openId();
  for (const button of hits.querySelectorAll('.hit')) button.setAttribute('aria-current', String(button.dataset.id === id));
}

function openId() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

async function open() {
  const id = openId();
  showCurrent();
  document.body.classList.toggle('open', id !== '');
  if (id === '') return;
  try {
    const { record, turns } = await ask(`audit/${encodeURIComponent(id)}/conversation`);
    if (openId() !== id) return;
    reading.replaceChildren(barOf(record), factsOf(record), pictureOf(record, Math.max(240, reading.clientWidth - 80)), ...turns.map(turnOf), ...notesOf(record));
  } catch (error) {
    reading.replaceChildren(make('p', { cls: 'empty', role: 'alert' }, error.message));
  }
  reading.scrollTop = 0;
  reading.focus({ preventScroll: true });
}

function close() {
  if (openId() === '') return;
  const id = openId();
  history.pushState(null, '', location.pathname);
  void open();
  [...hits.querySelectorAll('.hit')].find((button) => button.dataset.id === id)?.focus();
}

function barOf(record) {
  const back = make('button', { type: 'button', cls: 'back' }, '← Results');
  back.addEventListener('click', close);
  const copy = make('button', { type: 'button' }, 'Copy as NDJSON');
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(`${JSON.stringify(record)}\n`);
      copy.textContent = 'Copied';
    } catch {
      copy.textContent = 'The browser does not allow it';
    }
  });
  const { answered, sent, asked: wanted } = record.model;
  return make(
    'div',
    { cls: 'bar' },
    back,
    make('h2', {}, answered ?? sent ?? wanted ?? record.request.target),
    endOf(record.end),
    make('span', { cls: 'actions' }, copy),
  );
}

function factsOf(record) {
  const { usage } = record;
  const tokens = usage && `${usage.inputTokens ?? '?'} in, ${usage.outputTokens ?? '?'} out`;
  const list = make('dl', { cls: 'facts' });
  const facts = {
    Received: when(record.times.received),
    Route: record.route,
    Upstream: record.upstream,
    Agent: record.agent,
    Status: record.status,
    Tokens: tokens,
    Attempts: record.attempts.length > 1 ? record.attempts.map((each) => `${each.upstream}: ${each.outcome}`).join(', ') : undefined,
    Detail: record.detail,
    Pod: record.workload.pod,
    Id: record.id,
  };
  for (const [name, value] of Object.entries(facts)) {
    if (value !== undefined) list.append(make('div', {}, make('dt', {}, name), make('dd', {}, String(value))));
  }
  return list;
}

function turnOf({ role, parts }) {
  const known = ['user', 'assistant', 'system', 'tool', 'error'].includes(role) ? role : 'other';
  const children = parts.map(({ kind, text, name }) =>
    make('div', { cls: `part ${kind}` }, name === undefined ? undefined : make('span', { cls: 'name' }, name), text),
  );
  return make('article', { cls: `turn ${known}` }, make('h3', {}, role), ...children);
}

function notesOf({ request, response }) {
  const cut = [request.body?.truncated && 'request', response?.body?.truncated && 'answer'].filter(Boolean);
  return cut.length === 0 ? [] : [make('p', { cls: 'part thinking' }, `The record holds less than the whole ${cut.join(' and ')}.`)];
}

/** The arrow keys move among the results, the rest is the browser's own. */
function move(by) {
  const buttons = [...hits.querySelectorAll('.hit')];
  const current = Math.max(
    buttons.indexOf(document.activeElement),
    buttons.findIndex((button) => document.activeElement === document.body && button.getAttribute('aria-current') === 'true'),
  );
  buttons[Math.min(Math.max(current + by, 0), buttons.length - 1)]?.focus();
}

document.addEventListener('keydown', (event) => {
  const typing = event.target.matches('input, select, textarea');
  if (event.key === 'Escape') close();
  else if (event.key === '/' && !typing) {
    event.preventDefault();
    byId('q').focus();
  } else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && (hits.contains(event.target) || event.target === byId('q'))) {
    event.preventDefault();
    move(event.key === 'ArrowDown' ? 1 : -1);
  }
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  showActive();
  void search();
});
form.addEventListener('reset', () => setTimeout(() => {
  showActive();
  void search();
}));
form.addEventListener('change', showActive);
byId('more').addEventListener('click', () => void search(true));
addEventListener('hashchange', () => void open());
void search();
void open();
