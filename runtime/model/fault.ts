/**
 * Faults: the closed table of reasons for which the runtime itself refuses or fails a request.
 *
 * Owns codes, their class and whether a retry can help; the code is the public `kind` string of the HTTP
 * contract. It does not know HTTP statuses (gateway/problem.ts does) and it is not for guests that fail:
 * those are Outcomes. Invariant: a fault crosses processes as a plain record and is recognised by its
 * code, never by `instanceof` alone.
 */

/** What kind of failure a code is; front doors map this to their own status. */
export type FaultClass =
  | "caller"
  | "denied"
  | "missing"
  | "method"
  | "conflict"
  | "too_large"
  | "tenant_limit"
  | "unavailable"
  | "timeout"
  | "slow_client"
  | "guest"
  | "lost"
  | "internal";

interface FaultRow {
  readonly class: FaultClass;
  readonly retryable: boolean;
  readonly meaning: string;
}

/** Every fault code with its class and meaning. docs/errors.md is generated from this table. */
export const FAULTS = {
  invalid_json: {
    class: "caller",
    retryable: false,
    meaning: "The body is not the JSON that the route takes.",
  },
  invalid_name: {
    class: "caller",
    retryable: false,
    meaning: "The function name is empty, too long or has control characters.",
  },
  invalid_base64: { class: "caller", retryable: false, meaning: "`wasm_b64` is not padded standard base64." },
  invalid_wasm: {
    class: "caller",
    retryable: false,
    meaning: "The module is malformed, invalid, or imports something that no host module offers.",
  },
  invalid_args: {
    class: "caller",
    retryable: false,
    meaning: "An argument does not fit the signature of the export.",
  },
  too_many_args: { class: "caller", retryable: false, meaning: "More arguments than the limit allows." },
  missing_export: { class: "caller", retryable: false, meaning: "The module exports no such function." },
  unsupported_return_type: {
    class: "caller",
    retryable: false,
    meaning: "The export takes or returns v128 or a reference.",
  },
  missing_tenant: {
    class: "caller",
    retryable: false,
    meaning: "The tenant header is malformed, or absent where it is required.",
  },
  bad_request: {
    class: "caller",
    retryable: false,
    meaning: "A header or query parameter is malformed or out of range.",
  },
  tenant_scope_denied: {
    class: "denied",
    retryable: false,
    meaning: "The resource belongs to another tenant.",
  },
  not_found: { class: "missing", retryable: false, meaning: "No such function, job or route." },
  method_not_allowed: {
    class: "method",
    retryable: false,
    meaning: "The route has not this method; the header Allow names those that it has.",
  },
  idempotency_conflict: {
    class: "conflict",
    retryable: false,
    meaning: "The Idempotency-Key was used before with another request.",
  },
  body_too_large: { class: "too_large", retryable: false, meaning: "The request body exceeds the limit." },
  module_too_large: {
    class: "too_large",
    retryable: false,
    meaning: "The module exceeds the limit in bytes.",
  },
  module_memory_too_large: {
    class: "too_large",
    retryable: false,
    meaning: "The module declares more memory or table than the limit.",
  },
  tenant_capacity_exhausted: {
    class: "tenant_limit",
    retryable: true,
    meaning: "The tenant has reached its own limit of waiting calls or of functions.",
  },
  capacity_exhausted: {
    class: "unavailable",
    retryable: true,
    meaning:
      "The queue is full, a GPU could not take the call before its deadline, or the gateway is draining.",
  },
  module_quarantined: {
    class: "unavailable",
    retryable: true,
    meaning: "The module's calls have repeatedly crashed the processes that ran them.",
  },
  invoke_timeout: {
    class: "timeout",
    retryable: false,
    meaning: "The call did not finish before its deadline.",
  },
  request_timeout: {
    class: "slow_client",
    retryable: true,
    meaning: "The request body did not arrive before the deadline.",
  },
  wasmtime: {
    class: "guest",
    retryable: false,
    meaning: "The guest trapped. The word is kept for clients of the system the contract comes from.",
  },
  guest_exit: { class: "guest", retryable: false, meaning: "The guest ended with a non-zero exit code." },
  guest_limit_exceeded: {
    class: "guest",
    retryable: false,
    meaning: "The guest exceeded a limit other than its deadline, such as fuel or output bytes.",
  },
  gpu_fault: {
    class: "guest",
    retryable: false,
    meaning: "A kernel of the call did something wrong on the GPU, such as an access outside of its memory.",
  },
  gpu_timeout: {
    class: "timeout",
    retryable: false,
    meaning: "A kernel of the call was still running on the GPU at the call's deadline.",
  },
  gpu_reset: {
    class: "lost",
    retryable: true,
    meaning: "Another call of the tenant made its part of the GPU unusable while this one ran.",
  },
  cell_lost: {
    class: "lost",
    retryable: true,
    meaning: "The process that ran the call died before it answered.",
  },
  job_cancelled: {
    class: "conflict",
    retryable: false,
    meaning: "The job was cancelled before it had ended.",
  },
  job_interrupted: {
    class: "lost",
    retryable: true,
    meaning: "The gateway ended while the job ran, and it may not run again.",
  },
  job_expired: {
    class: "timeout",
    retryable: true,
    meaning: "The job waited for its turn for longer than it may.",
  },
  job_unfinished: {
    class: "conflict",
    retryable: true,
    meaning: "The job has not ended yet, so it has no output.",
  },
  internal: {
    class: "internal",
    retryable: false,
    meaning: "A bug of the runtime; the log line with the trace id has the detail.",
  },
} as const satisfies Record<string, FaultRow>;

/** A fault code: also the `kind` of the HTTP error envelope. */
export type FaultCode = keyof typeof FAULTS;

/** What of a fault crosses a process border. */
export interface FaultRecord {
  readonly code: FaultCode;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

/** A refusal or failure of the runtime. `message` is public: no paths, no other tenant, no parser internals. */
export class RuntimeFault extends Error {
  override readonly name = "RuntimeFault";
  readonly code: FaultCode;
  /** When a retry may succeed, in whole seconds; present on retryable faults where it is known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: FaultCode,
    message: string,
    options: { retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Makes a fault; `throw fault("not_found", "No function …")` reads as what it does. */
export function fault(
  code: FaultCode,
  message: string,
  options: { retryAfterSeconds?: number; cause?: unknown } = {},
): RuntimeFault {
  return new RuntimeFault(code, message, options);
}

/** The record of a fault for a wire or a store. */
export function toFaultRecord(error: RuntimeFault): FaultRecord {
  return error.retryAfterSeconds === undefined
    ? { code: error.code, message: error.message }
    : { code: error.code, message: error.message, retryAfterSeconds: error.retryAfterSeconds };
}

/** A fault from a record of another process; an unknown code becomes `internal`. */
export function fromFaultRecord(record: FaultRecord): RuntimeFault {
  const code = Object.hasOwn(FAULTS, record.code) ? record.code : "internal";
  return new RuntimeFault(
    code,
    record.message,
    record.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: record.retryAfterSeconds },
  );
}
