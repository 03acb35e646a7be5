/** unknown → CompiledTarget, or every problem with its path: the part of the proxy's door that reads log targets. */
import type { CompiledTarget, InvalidPart } from './compiled.ts';
import {
  type HeaderCredential,
  type HttpTarget,
  type KafkaTarget,
  type OtlpTarget,
  type PostgresTarget,
  type S3Target,
  SASL_MECHANISMS,
} from './compiled-targets.ts';
import {
  at,
  type Place,
  readFileName,
  readHeaderName,
  readList,
  readName,
  readObject,
  readOneOf,
  readText,
  readWhole,
} from './parse-fields.ts';

type Fields = Readonly<Record<string, unknown>>;

const KINDS = ['stdout', 'file', 'http', 'postgres', 'otlp', 'kafka', 's3', 'invalid'] as const;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export function readTarget(value: unknown, place: Place): CompiledTarget {
  const fields = readObject(value, place);
  const kind = readOneOf(fields['kind'], at(place, 'kind'), KINDS);
  const name = kind === undefined || kind === 'invalid' ? '' : readName(fields['name'], at(place, 'name'));
  switch (kind) {
    case 'stdout':
      return { kind, name };
    case 'file':
      return {
        kind,
        name,
        path: readName(fields['path'], at(place, 'path')),
        maxBytes: readWhole(fields['maxBytes'], at(place, 'maxBytes')),
      };
    case 'http':
      return readHttp(fields, place, name);
    case 'postgres':
      return readPostgres(fields, place, name);
    case 'otlp':
      return readOtlp(fields, place, name);
    case 'kafka':
      return readKafka(fields, place, name);
    case 's3':
      return readS3(fields, place, name);
    case 'invalid':
    case undefined:
      return { ...readInvalid(fields, place), ...readSpooled(fields, place) };
  }
}

export function readInvalid(fields: Fields, place: Place): InvalidPart {
  return {
    kind: 'invalid',
    name: readName(fields['name'], at(place, 'name')),
    message: readText(fields['message'], at(place, 'message')),
  };
}

function readSpooled({ spooled }: Fields, place: Place): { readonly spooled?: true } {
  if (spooled === undefined) return {};
  if (spooled !== true) refuse(at(place, 'spooled'), 'Expected true, or nothing');
  return { spooled: true };
}

function readHttp(fields: Fields, place: Place, name: string): HttpTarget {
  return {
    kind: 'http',
    name,
    url: readUrl(fields['url'], at(place, 'url')),
    format: readOneOf(fields['format'], at(place, 'format'), ['ndjson', 'json']) ?? 'ndjson',
    maxRecords: readAtLeastOne(fields['maxRecords'], at(place, 'maxRecords')),
    maxBytes: readWhole(fields['maxBytes'], at(place, 'maxBytes')),
    gzip: readFlag(fields['gzip'], at(place, 'gzip')),
    ...readCredential(fields, place),
    ...readOptionalFile('hmacFile', fields, place),
    ...readNetworkPart(fields, place),
  };
}

function readPostgres(fields: Fields, place: Place, name: string): PostgresTarget {
  return {
    kind: 'postgres',
    name,
    dsnFile: readFileName(fields['dsnFile'], at(place, 'dsnFile')),
    table: readTable(fields['table'], at(place, 'table')),
    ...readNetworkPart(fields, place),
  };
}

function readOtlp(fields: Fields, place: Place, name: string): OtlpTarget {
  return {
    kind: 'otlp',
    name,
    url: readUrl(fields['url'], at(place, 'url')),
    gzip: readFlag(fields['gzip'], at(place, 'gzip')),
    ...readCredential(fields, place),
    ...readNetworkPart(fields, place),
  };
}

function readKafka(fields: Fields, place: Place, name: string): KafkaTarget {
  const brokers = readList(fields['brokers'], at(place, 'brokers'), readBroker);
  if (brokers.length === 0) refuse(at(place, 'brokers'), 'Expected at least one broker');
  return {
    kind: 'kafka',
    name,
    brokers,
    topic: readName(fields['topic'], at(place, 'topic')),
    tls: readFlag(fields['tls'], at(place, 'tls')),
    ...(fields['sasl'] !== undefined && { sasl: readSasl(fields['sasl'], at(place, 'sasl')) }),
    ...readNetworkPart(fields, place),
  };
}

function readSasl(value: unknown, place: Place): NonNullable<KafkaTarget['sasl']> {
  const fields = readObject(value, place);
  return {
    mechanism: readOneOf(fields['mechanism'], at(place, 'mechanism'), SASL_MECHANISMS) ?? 'PLAIN',
    usernameFile: readFileName(fields['usernameFile'], at(place, 'usernameFile')),
    passwordFile: readFileName(fields['passwordFile'], at(place, 'passwordFile')),
  };
}

function readS3(fields: Fields, place: Place, name: string): S3Target {
  const endpoint = readUrl(fields['endpoint'], at(place, 'endpoint'));
  if (endpoint !== '' && new URL(endpoint).origin !== endpoint) {
    refuse(at(place, 'endpoint'), `Expected http(s)://host[:port] without a path, got "${endpoint}"`);
  }
  return {
    kind: 's3',
    name,
    endpoint,
    bucket: readName(fields['bucket'], at(place, 'bucket')),
    prefix: readText(fields['prefix'], at(place, 'prefix')),
    region: readName(fields['region'], at(place, 'region')),
    pathStyle: readFlag(fields['pathStyle'], at(place, 'pathStyle')),
    accessKeyIdFile: readFileName(fields['accessKeyIdFile'], at(place, 'accessKeyIdFile')),
    secretAccessKeyFile: readFileName(fields['secretAccessKeyFile'], at(place, 'secretAccessKeyFile')),
    ...readOptionalFile('sessionTokenFile', fields, place),
    ...readNetworkPart(fields, place),
  };
}

function readNetworkPart(fields: Fields, place: Place): { timeoutMs: number; caFile?: string } {
  return {
    timeoutMs: readAtLeastOne(fields['timeoutMs'], at(place, 'timeoutMs')),
    ...readOptionalFile('caFile', fields, place),
  };
}

function readCredential(fields: Fields, place: Place): { credential?: HeaderCredential } {
  if (fields['credential'] === undefined) return {};
  const inner = at(place, 'credential');
  const { file, header } = readObject(fields['credential'], inner);
  return {
    credential: { file: readFileName(file, at(inner, 'file')), header: readHeaderName(header, at(inner, 'header')) },
  };
}

function readOptionalFile<Name extends string>(
  name: Name,
  fields: Fields,
  place: Place,
): { readonly [Key in Name]?: string } {
  if (fields[name] === undefined) return {};
  return { [name]: readFileName(fields[name], at(place, name)) } as { [Key in Name]: string };
}

function readAtLeastOne(value: unknown, place: Place): number {
  const number = readWhole(value, place, MAX_TIMEOUT_MS);
  if (number === 0 && value === 0) refuse(place, 'Expected at least 1');
  return number;
}

function readUrl(value: unknown, place: Place): string {
  const text = readText(value, place);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return text;
  // Not quoted: it may carry a password.
  if (typeof value === 'string') refuse(place, 'Expected a url of http or https without a user or password');
  return '';
}

/** It becomes part of a statement. */
function readTable(value: unknown, place: Place): string {
  const text = readText(value, place);
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(text)) return text;
  if (typeof value === 'string') refuse(place, `Expected the name of a table in lower case, got "${text}"`);
  return '';
}

function readBroker(value: unknown, place: Place): string {
  const text = readText(value, place);
  if (/^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$/.test(text)) return text;
  if (typeof value === 'string') refuse(place, `Expected host:port, got "${text}"`);
  return '';
}

function readFlag(value: unknown, place: Place): boolean {
  if (typeof value !== 'boolean') refuse(place, 'Expected true or false');
  return value === true;
}

function refuse(place: Place, message: string): void {
  place.problems.push({ path: place.path, message });
}
