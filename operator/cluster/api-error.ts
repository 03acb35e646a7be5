/** ApiError: the API server answered, and refused. Connection failures stay what Node made of them. */

interface StatusBody {
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

export class ApiError extends Error {
  /** HTTP status. */
  readonly status: number;
  /** Kubernetes' word for machines, such as `NotFound`; empty when there is none. */
  readonly reason: string;
  /** How long the server asks us to wait; 0 when it does not. */
  readonly retryAfterMs: number;

  constructor(status: number, reason: string, message: string, retryAfterMs = 0) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  /** @param body a `Status` object, or whatever a proxy in between has sent */
  static from(status: number, body: unknown, action: string): ApiError {
    const { reason, message, details } = (typeof body === 'object' && body !== null ? body : {}) as StatusBody;
    const seconds = typeof details?.retryAfterSeconds === 'number' ? details.retryAfterSeconds : 0;
    const text = typeof message === 'string' ? message : `HTTP ${status}`;
    return new ApiError(status, typeof reason === 'string' ? reason : '', `Cannot ${action}: ${text}`, seconds * 1000);
  }
}

/** Whether the error is the API server's answer with this HTTP status. */
export function hasStatus(error: unknown, ...statuses: number[]): error is ApiError {
  return error instanceof ApiError && statuses.includes(error.status);
}
