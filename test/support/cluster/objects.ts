/** The Kubernetes objects that cluster tests make, as YAML-able values. JSON is YAML, so they are applied as JSON. */

export interface PodOptions {
  readonly name: string;
  readonly image: string;
  /** StreamProxy to ask for; absent: an unannotated pod. */
  readonly inject?: string;
  readonly args: readonly string[];
  readonly restartPolicy?: 'Always' | 'Never';
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly terminationGracePeriodSeconds?: number;
}

const RESTRICTED = {
  runAsNonRoot: true,
  runAsUser: 65532,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Metadata and spec of a pod that runs the test application under Pod Security `restricted`. */
export function podTemplate(options: PodOptions): { metadata: object; spec: object } {
  const { name, image, inject, args, restartPolicy = 'Always', env = [], terminationGracePeriodSeconds = 30 } = options;
  return {
    metadata: {
      labels: { app: name },
      ...(inject !== undefined && { annotations: { 'sluice.dev/inject': inject } }),
    },
    spec: {
      restartPolicy,
      terminationGracePeriodSeconds,
      containers: [
        {
          name: 'app',
          image,
          imagePullPolicy: 'IfNotPresent',
          args,
          env,
          resources: { requests: { cpu: '1m', memory: '32Mi' }, limits: { memory: '256Mi' } },
          securityContext: RESTRICTED,
        },
      ],
    },
  };
}

export function pod(options: PodOptions): object {
  const template = podTemplate(options);
  return { apiVersion: 'v1', kind: 'Pod', ...template, metadata: { ...template.metadata, name: options.name } };
}

export function deployment(options: PodOptions & { readonly replicas?: number }): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: options.name },
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: { app: options.name } },
      template: podTemplate(options),
    },
  };
}

export function job(options: PodOptions): object {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: options.name },
    spec: { backoffLimit: 0, template: podTemplate({ ...options, restartPolicy: 'Never' }) },
  };
}

export function secret(name: string, data: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: data };
}

/** Several objects as one list, ready for `kubectl apply -f -`. */
export function list(...items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
