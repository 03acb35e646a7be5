/** Metadata of the objects that the operator writes for a StreamProxy: deleted with it by Kubernetes' own collector, so no finalizers. */
import { API_GROUP, API_VERSION, MANAGED_BY, MANAGED_BY_LABEL } from '#contract/names.ts';
import type { ObjectMeta, StreamProxy } from '#contract/resources.ts';

export function ownedMetadata(owner: StreamProxy, name: string, annotations: Record<string, string> = {}): ObjectMeta {
  return {
    name,
    namespace: owner.metadata.namespace ?? '',
    labels: { [MANAGED_BY_LABEL]: MANAGED_BY },
    ...(Object.keys(annotations).length > 0 && { annotations }),
    ownerReferences: [
      {
        apiVersion: `${API_GROUP}/${API_VERSION}`,
        kind: 'StreamProxy',
        name: owner.metadata.name,
        uid: owner.metadata.uid ?? '',
        controller: true,
      },
    ],
  };
}
