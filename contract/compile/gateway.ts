/** spec.gateway -> compiled gateway. */
import type { CompiledGateway, GatewayClient } from '../compiled-gateway.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import { certificateRefs } from '../secrets.ts';
import type { TokenKeys } from '../token-keys.ts';
import { credentialFile } from './credential-file.ts';

type Gateway = NonNullable<StreamProxy['spec']['gateway']>;

/** @param tokenKeys the cluster's; absent: tokens cannot be verified here */
export function compileGateway(
  gateway: Gateway,
  findings: readonly Finding[],
  tokenKeys: TokenKeys | undefined,
): CompiledGateway {
  const verifies = tokenKeys !== undefined && gateway.clients.some(({ serviceAccount }) => serviceAccount);
  return {
    ...(gateway.tls && { tls: compileTls(gateway.tls.secret) }),
    clients: gateway.clients.map((client) => compileClient(client, findings)),
    ...(verifies && { tokenKeys }),
  };
}

/** Named even where the Secret is missing: the proxy then refuses the config rather than serve without. */
function compileTls(secret: { readonly name: string }): NonNullable<CompiledGateway['tls']> {
  const [cert, key] = certificateRefs(secret);
  return { certFile: credentialFile(cert), keyFile: credentialFile(key) };
}

function compileClient(client: Gateway['clients'][number], findings: readonly Finding[]): GatewayClient {
  const { name, secret, serviceAccount } = client;
  const broken = findings.find(({ part }) => part.kind === 'client' && part.name === name);
  if (broken) return { kind: 'invalid', name, message: broken.message };
  if (secret) return { kind: 'secret', name, file: credentialFile(secret) };
  return {
    kind: 'serviceAccount',
    name,
    namespace: serviceAccount?.namespace ?? '',
    ...(serviceAccount?.name !== undefined && { account: serviceAccount.name }),
  };
}
