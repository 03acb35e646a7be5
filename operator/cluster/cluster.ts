/**
 * The verbs that the operator needs of the API server, on untyped objects: typed serialisers drop the fields that they do
 * not know. Every verb takes a signal last.
 */
import type { Access } from './access.ts';
import { hasStatus } from './api-error.ts';
import { collectionPath, type Kind, type KubeObject, type ObjectName, objectPath } from './kinds.ts';
import { type ApiRequest, sendJson, sendStreaming } from './transport.ts';
import { readWatchEvents, type WatchEvent } from './watch-events.ts';

/** Who owns the fields that we apply. */
export const FIELD_MANAGER = 'sluice-operator';

export interface Selection {
  /** undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface WatchFrom {
  /** Empty: from now. */
  readonly version: string;
  readonly timeoutSeconds: number;
}

export interface Page {
  readonly items: readonly KubeObject[];
  readonly version: string;
  readonly next: string | undefined;
}

export type Cluster = ReturnType<typeof connect>;

const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
const PAGE_OBJECTS = '500';

export function connect(access: Access) {
  return { ...reads(access), ...writes(access), ...deletes(access) };
}

function asJson(access: Access) {
  return (request: ApiRequest, signal: AbortSignal) => sendJson(access, request, signal) as Promise<KubeObject>;
}

function reads(access: Access) {
  const json = asJson(access);
  return {
    /** One page of a list. `resourceVersion=0` is not asked: a relist after 410 must not come from a cache that lags behind. */
    async list(kind: Kind, selection: Selection, next: string | undefined, signal: AbortSignal): Promise<Page> {
      const query = { ...selectors(selection), limit: PAGE_OBJECTS, continue: next };
      const path = collectionPath(kind, selection.namespace);
      const list = await json({ method: 'GET', path, query, action: `list ${kind.plural}` }, signal);
      return {
        items: (list['items'] ?? []) as KubeObject[],
        version: list.metadata.resourceVersion ?? '',
        next: (list.metadata['continue'] as string | undefined) || undefined,
      };
    },

    /**
     * Opens a watch: changes after `version`, bookmarks included; without a version what is there now comes first, as ADDED.
     * @returns when the server has begun to watch; the events end when it closes, after some `timeoutSeconds`
     */
    async watch(
      kind: Kind,
      selection: Selection,
      from: WatchFrom,
      signal: AbortSignal,
    ): Promise<AsyncIterable<WatchEvent>> {
      const query = {
        ...selectors(selection),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: from.version,
        timeoutSeconds: String(from.timeoutSeconds),
      };
      const path = collectionPath(kind, selection.namespace);
      const response = await sendStreaming(
        access,
        { method: 'GET', path, query, action: `watch ${kind.plural}` },
        signal,
      );
      return readWatchEvents(response);
    },

    /** @returns undefined when there is none */
    get: (kind: Kind, name: ObjectName, signal: AbortSignal) => read(access, kind, name, 'application/json', signal),

    /** The API server's public documents about the tokens that it makes: their issuer, and the keys that verify them. */
    async tokenKeys(signal: AbortSignal): Promise<{ readonly discovery: unknown; readonly keySet: unknown }> {
      const read = (path: string, accept: string): Promise<unknown> =>
        sendJson(access, { method: 'GET', path, accept, action: `read ${path}` }, signal);
      const [discovery, keySet] = await Promise.all([
        read('/.well-known/openid-configuration', 'application/json'),
        read('/openid/v1/jwks', 'application/jwk-set+json'),
      ]);
      return { discovery, keySet };
    },

    /** Metadata alone, so that a Secret's content never reaches us where it is not needed. */
    getMetadata: (kind: Kind, name: ObjectName, signal: AbortSignal) => read(access, kind, name, METADATA_ONLY, signal),
  };
}

async function read(
  access: Access,
  kind: Kind,
  name: ObjectName,
  accept: string,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const action = `read ${kind.kind} "${name.namespace}/${name.name}"`;
  try {
    return await asJson(access)({ method: 'GET', path: objectPath(kind, name), accept, action }, signal);
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

function writes(access: Access) {
  const json = asJson(access);
  return {
    /** Server-side apply: creates or changes; fields of ours that others hold are taken over. */
    apply(kind: Kind, object: KubeObject, signal: AbortSignal, subresource = ''): Promise<KubeObject> {
      const name = nameOf(object);
      return json(
        {
          method: 'PATCH',
          path: `${objectPath(kind, name)}${subresource && `/${subresource}`}`,
          query: { fieldManager: FIELD_MANAGER, force: 'true' },
          contentType: 'application/apply-patch+yaml',
          body: { apiVersion: kind.apiVersion, kind: kind.kind, ...object },
          action: `apply ${kind.kind} "${name.namespace}/${name.name}"`,
        },
        signal,
      );
    },

    /** JSON merge patch; the answer's body is of no use to callers. */
    async mergePatch(kind: Kind, name: ObjectName, body: unknown, signal: AbortSignal): Promise<void> {
      const contentType = 'application/merge-patch+json';
      const query = { fieldManager: FIELD_MANAGER };
      const action = `patch ${kind.kind} "${name.namespace}/${name.name}"`;
      const path = objectPath(kind, name);
      await json({ method: 'PATCH', path, query, contentType, body, accept: METADATA_ONLY, action }, signal);
    },

    /** @param dryRun everything but storing: admission runs, the object as it would be comes back */
    create(kind: Kind, object: KubeObject, signal: AbortSignal, dryRun = false): Promise<KubeObject> {
      return json(
        {
          method: 'POST',
          path: collectionPath(kind, nameOf(object).namespace),
          query: { fieldManager: FIELD_MANAGER, ...(dryRun && { dryRun: 'All' }) },
          body: { apiVersion: kind.apiVersion, kind: kind.kind, ...object },
          action: `create ${kind.kind} "${nameOf(object).namespace}/${nameOf(object).name}"`,
        },
        signal,
      );
    },

    /** Replaces the whole object; refused with 409 when it changed since it was read. */
    replace(kind: Kind, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
      const action = `replace ${kind.kind} "${nameOf(object).namespace}/${nameOf(object).name}"`;
      return json({ method: 'PUT', path: objectPath(kind, nameOf(object)), body: object, action }, signal);
    },
  };
}

function deletes(access: Access) {
  const json = asJson(access);
  return {
    /** One that is gone already is no error. */
    async remove(kind: Kind, name: ObjectName, signal: AbortSignal): Promise<void> {
      const action = `delete ${kind.kind} "${name.namespace}/${name.name}"`;
      const body = { propagationPolicy: 'Background' };
      try {
        await json({ method: 'DELETE', path: objectPath(kind, name), body, action }, signal);
      } catch (error) {
        if (!hasStatus(error, 404)) throw error;
      }
    },
  };
}

function selectors({ labelSelector, fieldSelector }: Selection) {
  return { labelSelector, fieldSelector };
}

function nameOf({ metadata }: KubeObject): ObjectName {
  return { namespace: metadata.namespace ?? '', name: metadata.name };
}
