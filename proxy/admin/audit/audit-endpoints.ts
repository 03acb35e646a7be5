/** Search over kept records, for people and programs of the pod: /gateway/audit, /gateway/audit/<id>, and the page /gateway/. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ArchiveUnavailableError, type KeptRecords } from '../../log/audit/archive.ts';
import type { AuditQuery } from '../../log/audit/messages.ts';
import { readPage } from './page.ts';
import { readQuery } from './read-query.ts';

const NDJSON = 'application/x-ndjson';
const PAGE_PATHS: readonly string[] = ['/gateway', '/gateway/'];
const AUDIT_PATH = '/gateway/audit';
/** Whole records that are asked of the archive at once: others' questions come in between. */
const EXPORTED_AT_ONCE = 50;
/** Conversations are for who asked, on this origin, and nobody's cache. */
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
};

/**
 * Serves a GET or HEAD that was found to come by a loopback name.
 * @param archive undefined: the config keeps no records
 * @param target path and query
 * @returns false when the path is none of these, or nothing is kept
 */
export function serveAudit(
  target: string,
  archive: KeptRecords | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const url = new URL(target, 'http://localhost');
  const isPage = PAGE_PATHS.includes(url.pathname);
  const isAudit = url.pathname === AUDIT_PATH || url.pathname.startsWith(`${AUDIT_PATH}/`);
  if (archive === undefined || !(isPage || isAudit)) return false;
  request.resume();
  const answered = isPage ? answerPage(url, response) : answerAudit(url, archive, request, response);
  answered.catch((error: unknown) => fail(error, response));
  return true;
}

/** Its links are relative to the folder. */
async function answerPage({ pathname }: URL, response: ServerResponse): Promise<void> {
  if (pathname === '/gateway') {
    response.writeHead(308, { ...HEADERS, location: '/gateway/' });
    response.end();
    return;
  }
  const { html, policy } = await readPage();
  const headers = {
    'content-security-policy': policy,
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
  };
  send(response, 200, 'text/html; charset=utf-8', html, headers);
}

async function answerAudit(
  url: URL,
  archive: KeptRecords,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [id, view, ...rest] = url.pathname
    .slice(AUDIT_PATH.length + 1)
    .split('/')
    .map(decoded);
  if (url.pathname !== AUDIT_PATH) {
    if (rest.length > 0 || (view !== undefined && view !== 'conversation'))
      sendRefusal(response, 404, 'Ask for /gateway/audit/<id>');
    else await answerRecord(id ?? '', view !== undefined, archive, response);
    return;
  }
  const whole = (request.headers.accept ?? '').split(',').some((type) => type.split(';', 1)[0]?.trim() === NDJSON);
  const query = readQuery(url.searchParams, whole);
  if (typeof query === 'string') sendRefusal(response, 400, query);
  else if (whole) await exportRecords(query, archive, request, response);
  else {
    const { hits, next } = await archive.search(query);
    const page = { hits, ...(next !== undefined && { next: String(next) }), archive: await archive.state() };
    send(response, 200, 'application/json', JSON.stringify(page));
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

/** @param isRead as people read it: with the conversation that it holds */
async function answerRecord(
  id: string,
  isRead: boolean,
  archive: KeptRecords,
  response: ServerResponse,
): Promise<void> {
  const reading = isRead ? await archive.read(id) : undefined;
  const json = isRead ? reading?.json : await archive.get(id);
  if (json === undefined) sendRefusal(response, 404, 'No kept record has this id; search for it at /gateway/audit');
  else if (reading === undefined) send(response, 200, 'application/json', json);
  else send(response, 200, 'application/json', `{"turns":${JSON.stringify(reading.turns)},"record":${json}}`);
}

/** One record a line, newest first; each page is asked for when the one before has left. */
async function exportRecords(
  query: AuditQuery,
  archive: KeptRecords,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let left = query.limit;
  let before = query.before;
  do {
    const limit = Math.min(left, EXPORTED_AT_ONCE);
    const page = await archive.search({ ...query, limit, ...(before !== undefined && { before }) });
    if (!response.headersSent) response.writeHead(200, { ...HEADERS, 'content-type': NDJSON });
    left -= page.records.length;
    before = page.next;
    const isGone = request.method === 'HEAD' || response.destroyed;
    if (isGone) break;
    const lines = page.records.map((record) => `${record}\n`).join('');
    if (!response.write(lines)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  } while (left > 0 && before !== undefined && !response.destroyed);
  response.end();
}

/** What was begun is broken off, as half an export shall not look like all of it. */
function fail(error: unknown, response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else if (error instanceof ArchiveUnavailableError) sendRefusal(response, 503, error.message);
  else sendRefusal(response, 500, 'The question cannot be answered');
}

function sendRefusal(response: ServerResponse, code: number, message: string): void {
  const error = { message: `Sluice: ${message}`, type: 'invalid_request_error', code: 'own_endpoint', param: null };
  send(response, code, 'application/json', JSON.stringify({ error }));
}

function send(
  response: ServerResponse,
  code: number,
  type: string,
  body: string,
  more: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, { ...HEADERS, ...more, 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
