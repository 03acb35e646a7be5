/** Which pod this proxy serves, from the downward API; absent outside Kubernetes. */
export interface Workload {
  readonly namespace?: string;
  readonly pod?: string;
  readonly node?: string;
  /** The workload that owns the pod, such as `Deployment/agents`. */
  readonly owner?: string;
}
