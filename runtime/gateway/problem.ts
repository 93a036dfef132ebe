/**
 * Problems: from a fault to an HTTP status and the error envelope.
 *
 * The only place that knows statuses of failures. Invariant: what is not a RuntimeFault is a bug: its text
 * is logged under the trace id and never sent.
 */
import type { FaultClass, FaultCode } from "../model/fault.ts";
import { FAULTS, RuntimeFault } from "../model/fault.ts";

/** Status of each class of faults. */
export const STATUS_OF_CLASS = {
  caller: 400,
  denied: 403,
  missing: 404,
  method: 405,
  slow_client: 408,
  conflict: 409,
  too_large: 413,
  tenant_limit: 429,
  guest: 500,
  internal: 500,
  lost: 502,
  unavailable: 503,
  timeout: 504,
} as const satisfies Record<FaultClass, number>;

/** The status of a fault code. */
export function statusOf(code: FaultCode): number {
  return STATUS_OF_CLASS[FAULTS[code].class];
}

/** An error as callers see it. */
export interface Problem {
  readonly status: number;
  readonly kind: FaultCode;
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
}

/** The problem of any error. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof RuntimeFault) || error.code === "internal") {
    return {
      status: 500,
      kind: "internal",
      message: "Internal error; the log has it under this trace id",
      retryAfterSeconds: undefined,
    };
  }
  return {
    status: statusOf(error.code),
    kind: error.code,
    message: error.message,
    retryAfterSeconds: error.retryAfterSeconds,
  };
}

/** The response of a problem: `{"error":{"kind","message","trace_id"}}`. */
export function problemResponse(problem: Problem, traceId: string | undefined): Response {
  const headers = new Headers({ "content-type": "application/json" });
  if (problem.retryAfterSeconds !== undefined) headers.set("retry-after", String(problem.retryAfterSeconds));
  const error = {
    kind: problem.kind,
    message: problem.message,
    ...(traceId === undefined ? {} : { trace_id: traceId }),
  };
  return new Response(JSON.stringify({ error }), { status: problem.status, headers });
}
