/** Kubernetes' ObjectMeta as far as a person writes it; the CRD says nothing about it, the API server itself checks it. */
import type { Schema } from './parse-resource-value.ts';

const TEXT: Schema = { type: 'string' };
const TEXT_MAP: Schema = { type: 'object', additionalProperties: { type: 'string' } };

/** RFC 1123 subdomain, as the API server holds names of custom resources to; its length is a rule of the CRD. */
export const NAME_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';

export const METADATA_SCHEMA: Schema = {
  type: 'object',
  description: 'Name and namespace of the resource, with labels and annotations.',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: {
      type: 'string',
      description: 'The name that pods give in their annotation sluice.dev/inject.',
      minLength: 1,
      pattern: NAME_PATTERN,
    },
    namespace: TEXT,
    labels: TEXT_MAP,
    annotations: TEXT_MAP,
    finalizers: { type: 'array', items: TEXT },
    ownerReferences: { type: 'array' },
    generateName: TEXT,
    uid: TEXT,
    resourceVersion: TEXT,
    generation: { type: 'integer' },
    creationTimestamp: TEXT,
    deletionTimestamp: TEXT,
    deletionGracePeriodSeconds: { type: 'integer' },
    managedFields: { type: 'array' },
    selfLink: TEXT,
  },
};
