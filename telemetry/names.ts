/**
 * Names: the closed vocabulary of spans and their attributes; metric_names.ts has that of metrics.
 *
 * Owns every public name that dashboards and people's greps rest on; nothing else in the project spells
 * one out. It makes no span (span.ts does). Invariant: a span has exactly one scope, and each name here is a
 * promise: removing or renaming one is a breaking change.
 */

/** What OpenTelemetry calls the kind of a span, for the three kinds that occur here. */
export type SpanKindName = "internal" | "server" | "consumer";

interface SpanRow {
  /** The instrumentation scope; also the attribute `target`. */
  readonly scope: string;
  readonly kind: SpanKindName;
  /** On every instance; `"unknown"` where the value is truly unknown. */
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

const FUNCTION_CALL = {
  scope: "tensor-wasm-api",
  kind: "internal",
  required: ["function_id", "tenant"],
  optional: ["name"],
} as const satisfies SpanRow;

/**
 * Every span. A row whose name ends in a space is a prefix: the value of its first required attribute is
 * appended, as in `cli run`.
 */
export const SPANS = {
  "http.request": {
    scope: "tower-http",
    kind: "server",
    required: ["method", "uri", "version", "traceparent"],
    optional: ["request_id", "http.request.method", "url.path", "http.route", "http.response.status_code"],
  },
  "http.invoke_function": FUNCTION_CALL,
  "http.invoke_function_async": { ...FUNCTION_CALL, optional: ["name", "replayed"] },
  "http.invoke_function_stream": {
    ...FUNCTION_CALL,
    optional: ["name", "chunks", "bytes", "ending"],
  },
  "http.create_function": FUNCTION_CALL,
  "async_invoke.job": {
    scope: "tensor-wasm-api",
    kind: "internal",
    required: ["job_id", "tenant", "function_id"],
    optional: ["attempt", "requeued"],
  },
  "invoke.run": {
    scope: "tensor-wasm-api",
    kind: "internal",
    required: ["tenant", "function_id", "wasm_bytes_len"],
    optional: ["queue_ms", "cold", "attempt", "gpu_wait_ms"],
  },
  "tensor_wasm_exec::executor::spawn_instance": {
    scope: "tensor-wasm-exec",
    kind: "internal",
    required: ["tenant", "instance_id"],
    optional: ["wasm_bytes", "reason"],
  },
  "tensor_wasm_exec::executor::call_export_with_args": {
    scope: "tensor-wasm-exec",
    kind: "internal",
    required: ["instance", "export", "args_len"],
    optional: [
      "fuel",
      "yields",
      "cpu_us",
      "memory_bytes",
      "outcome",
      "reason",
      "gpu.launches",
      "gpu.launch_ms_mean",
      "gpu.launch_ms_max",
      "steps",
      "mean_step_ms",
      "max_step_ms",
    ],
  },
  "tensor_wasm_exec::executor::terminate": {
    scope: "tensor-wasm-exec",
    kind: "internal",
    required: ["instance"],
    optional: ["reason"],
  },
  "SnapshotReader::restore": {
    scope: "tensor-wasm-snapshot",
    kind: "internal",
    required: ["input_len"],
    optional: [],
  },
  "restore_to_gpu": {
    scope: "tensor-wasm-snapshot",
    kind: "internal",
    required: ["input_len", "device_index"],
    optional: [],
  },
  "wasi_cuda.load_ptx": {
    scope: "tensor-wasm-wasi-gpu",
    kind: "internal",
    required: ["instance", "ptx_bytes", "entry_bytes"],
    optional: ["cached", "device"],
  },
  "wasi_cuda.launch": {
    scope: "tensor-wasm-wasi-gpu",
    kind: "internal",
    required: [
      "instance",
      "kernel",
      "grid_x",
      "grid_y",
      "grid_z",
      "block_x",
      "block_y",
      "block_z",
      "shared_mem",
    ],
    optional: ["device", "bytes_in", "bytes_out"],
  },
  "wasi_cuda.dispatch": {
    scope: "tensor-wasm-wasi-gpu",
    kind: "internal",
    required: ["instance"],
    optional: ["device_time_us"],
  },
  "wasi_cuda.sync": {
    scope: "tensor-wasm-wasi-gpu",
    kind: "internal",
    required: ["instance"],
    optional: [],
  },
  "job.process": {
    scope: "tensor-wasm-agent",
    kind: "consumer",
    required: ["job.id", "job.category", "job.operation", "job.type"],
    optional: [
      "attempt",
      "queue_ms",
      "messaging.system",
      "messaging.destination.name",
      "messaging.operation.type",
      "messaging.message.id",
    ],
  },
  "cli ": {
    scope: "tensor-wasm-cli",
    kind: "internal",
    required: ["command"],
    optional: ["exit_code"],
  },
} as const satisfies Record<string, SpanRow>;

/** A span of the vocabulary. */
export type SpanName = keyof typeof SPANS;

/** What an attribute can hold; integers travel as integers. */
export type AttributeValue = string | number | boolean | string[] | number[] | boolean[];

/** A name that the span may carry. */
export type AttributeName<N extends SpanName> =
  | (typeof SPANS)[N]["required"][number]
  | (typeof SPANS)[N]["optional"][number];

/** What a span is started with: all required attributes, and any of the optional ones. */
export type SpanAttributes<N extends SpanName> =
  & { readonly [K in (typeof SPANS)[N]["required"][number]]: AttributeValue }
  & { readonly [K in (typeof SPANS)[N]["optional"][number]]?: AttributeValue | undefined };

/** What stands in for a required value that nobody knows. */
export const UNKNOWN = "unknown";
