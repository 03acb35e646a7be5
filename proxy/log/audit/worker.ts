/** Worker thread of the archive: its database, its index and its searches, none of which a stream shall wait for. */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { diskProblem } from '../disk-problem.ts';
import { standBack } from '../stand-back.ts';
import { steadyClock } from '../steady-clock.ts';
import { conversationOf } from './conversation.ts';
import type { AuditReading, AuditReply, AuditRequest } from './messages.ts';
import { AUDIT_FILE, AUDIT_FOLDER } from './place.ts';
import type { AuditStore } from './store.ts';
import { Vault, type VaultEvent } from './vault.ts';

const UPKEEP_MS = 60_000;

standBack();
const { stateDirectory, epochOffsetMs } = workerData as {
  readonly stateDirectory: string;
  /** Of the process's steady clock. */
  readonly epochOffsetMs: number;
};
const ARCHIVE = join(stateDirectory, AUDIT_FOLDER, AUDIT_FILE);
const now = steadyClock(epochOffsetMs);
const vault = new Vault(stateDirectory, tell, now);
const upkeep = setInterval(tidy, UPKEEP_MS);

parentPort?.on('message', (request: AuditRequest) => {
  switch (request.kind) {
    case 'configure':
      vault.configure(request.audit);
      break;
    case 'add':
      send({ kind: 'added', kept: vault.use((store) => kept(store, request.lengths, request.bytes)) === true });
      break;
    case 'search':
      answer(request.ticket, (store, ticket) => ({ kind: 'page', ticket, page: store.search.page(request.query) }));
      break;
    case 'get':
      answer(request.ticket, (store, ticket) => ({
        kind: 'record',
        ticket,
        json: store.search.whole(request.id) ?? null,
      }));
      break;
    case 'read':
      answer(request.ticket, (store, ticket) => ({ kind: 'reading', ticket, reading: read(store, request.id) }));
      break;
    case 'state':
      answer(request.ticket, (store, ticket) => ({ kind: 'state', ticket, state: store.state() }));
      break;
    case 'close':
      clearInterval(upkeep);
      vault.close();
      send({ kind: 'closed' });
      parentPort?.close();
      break;
  }
});

/** Step by step, so that records and questions come in between. */
function tidy(): void {
  if (vault.use((store) => store.upkeep(now(), Date.now()))) setImmediate(tidy);
}

function read(store: AuditStore, id: string): AuditReading | null {
  const json = store.search.whole(id);
  return json === undefined ? null : { json, turns: conversationOf(JSON.parse(json)) };
}

function kept(store: AuditStore, lengths: readonly number[], bytes: Uint8Array): boolean {
  let from = 0;
  const records = lengths.map((length) => {
    const record = bytes.subarray(from, from + length);
    from += length;
    return record;
  });
  store.add(records);
  return true;
}

function answer(ticket: number, work: (store: AuditStore, ticket: number) => AuditReply): void {
  send(vault.use((store) => work(store, ticket)) ?? { kind: 'failed', ticket });
}

function tell(event: VaultEvent): void {
  switch (event.event) {
    case 'set_aside':
      log('error', 'The archive of records is damaged: it was renamed and a new one begun', fieldsOf(event));
      break;
    case 'failing':
      log('error', 'Cannot use the archive of records; streams and log targets go on without it', fieldsOf(event));
      break;
    case 'works_again':
      log('info', 'The archive of records can be used again', { path: ARCHIVE });
      break;
  }
}

function fieldsOf({ path = ARCHIVE, error }: { readonly path?: string; readonly error: unknown }) {
  return { path, problem: diskProblem(error) };
}

function log(level: 'info' | 'error', message: string, fields: Readonly<Record<string, string>>): void {
  send({ kind: 'log', level, message, fields });
}

function send(reply: AuditReply): void {
  parentPort?.postMessage(reply);
}
