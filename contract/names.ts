/** Names that operator, sidecar, chart and policies share. One meaning each; a drift test holds the chart's copies to these. */

export const API_GROUP = 'sluice.dev';
export const API_VERSION = 'v1alpha1';

/** Pod annotation by which a workload opts in; its value names a StreamProxy of the pod's namespace. */
export const INJECT_ANNOTATION = 'sluice.dev/inject';
/** Label that injection puts on a pod, so that the operator can watch injected pods alone; the value is the StreamProxy's name. */
export const PROXY_LABEL = 'sluice.dev/proxy';
/** The one pod annotation that the operator may write: the revision just delivered. Its change makes kubelet refresh the volume. */
export const REVISION_ANNOTATION = 'sluice.dev/config-revision';
/** Label on objects that the operator writes (generated Secrets). */
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'sluice';

export const SIDECAR_CONTAINER = 'sluice';
export const CONFIG_VOLUME = 'sluice-config';
export const STATE_VOLUME = 'sluice-state';
export const NO_TOKEN_VOLUME = 'sluice-no-token';
/** The sidecar's token for gateways: a projected volume, only where an upstream asks for it. */
export const GATEWAY_TOKEN_VOLUME = 'sluice-gateway-token';
export const GATEWAY_TOKEN_DIRECTORY = '/var/run/secrets/sluice';
export const GATEWAY_TOKEN_FILE = 'token';
/** Audience of the tokens that a gateway accepts: good for nothing else, and no other token is good here. */
export const TOKEN_AUDIENCE = 'sluice';
/** Tells a gateway the id of the exchange, so that both hops' records carry the same. Never sent to anybody else. */
export const EXCHANGE_HEADER = 'sluice-exchange-id';

/** Where the generated Secret is mounted in the sidecar. */
export const CONFIG_DIRECTORY = '/etc/sluice';
/** Where the sidecar may write: records of `file` targets, and the spool. */
export const STATE_DIRECTORY = '/var/lib/sluice';
/** The API token's mount path, covered in the sidecar by an empty volume. */
export const TOKEN_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Where a container says its last word; the kubelet puts it into the pod's status. */
export const TERMINATION_MESSAGE_FILE = '/dev/termination-log';
/** File of the generated Secret that holds the CompiledConfig. */
export const CONFIG_FILE = 'config.json';

export const DEFAULT_LISTEN_PORT = 8019;
export const DEFAULT_METRICS_PORT = 9019;

/** The user id of the sidecar: its own, so that no application container shares it. */
export const SIDECAR_UID = 64019;

/** What SDKs are given where they insist on a key and the pod has none. The proxy treats it as absent. */
export const PLACEHOLDER_KEY = 'sluice-placeholder-key';

/** Name of the generated Secret of a StreamProxy: fixed, as a running pod's volumes cannot change. */
export function deliveredSecretName(proxyName: string): string {
  return `sluice-${proxyName}`;
}

/** Name of a gateway's Deployment, Service and disruption budget. */
export function gatewayName(proxyName: string): string {
  return `sluice-${proxyName}`;
}
