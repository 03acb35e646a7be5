/** unknown → CompiledGateway: the part of the proxy's door for configs of a gateway. */
import type { CompiledGateway, GatewayClient } from './compiled-gateway.ts';
import { at, type Place, readFileName, readList, readName, readObject, readOneOf } from './parse-fields.ts';
import { readInvalid } from './parse-targets.ts';
import { readTokenKeys } from './token-keys.ts';

export function readGateway(value: unknown, place: Place): CompiledGateway {
  const fields = readObject(value, place);
  const { tls, tokenKeys } = fields;
  return {
    ...(tls !== undefined && { tls: readTls(tls, at(place, 'tls')) }),
    clients: readList(fields['clients'], at(place, 'clients'), readClient),
    ...(tokenKeys !== undefined && { tokenKeys: readTokenKeys(tokenKeys, at(place, 'tokenKeys')) }),
  };
}

function readTls(value: unknown, place: Place): NonNullable<CompiledGateway['tls']> {
  const fields = readObject(value, place);
  return {
    certFile: readFileName(fields['certFile'], at(place, 'certFile')),
    keyFile: readFileName(fields['keyFile'], at(place, 'keyFile')),
  };
}

function readClient(value: unknown, place: Place): GatewayClient {
  const fields = readObject(value, place);
  const kind = readOneOf(fields['kind'], at(place, 'kind'), ['serviceAccount', 'secret', 'invalid']);
  const name = readName(fields['name'], at(place, 'name'));
  switch (kind) {
    case 'serviceAccount':
      return {
        kind,
        name,
        namespace: readName(fields['namespace'], at(place, 'namespace')),
        ...(fields['account'] !== undefined && { account: readName(fields['account'], at(place, 'account')) }),
      };
    case 'secret':
      return { kind, name, file: readFileName(fields['file'], at(place, 'file')) };
    case 'invalid':
    case undefined:
      return readInvalid(fields, place);
  }
}
