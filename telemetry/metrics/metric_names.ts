/**
 * Metric names: the closed vocabulary of metrics, their types, labels, buckets and meanings.
 *
 * Owns every public name that dashboards and alerts rest on; nothing else in the project spells one out. It
 * counts nothing (metrics.ts does). Invariant: each row is emitted, and each name is a promise: removing or
 * renaming one is a breaking change.
 */
import { GPU_METRICS } from "./gpu_metric_names.ts";
import { STREAM_METRICS } from "./stream_metric_names.ts";
import { TRACE_METRICS } from "./trace_metric_names.ts";

/** What a metric is: a sum that only rises, a value of the moment, or observations by size. */
export type MetricType = "counter" | "gauge" | "histogram";

/** A row of the vocabulary. */
export interface MetricRow {
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  /** Present and true: there may be no series of it, because not every host tells. */
  readonly mayBeAbsent?: true;
  /** Upper bounds of a histogram, in seconds. */
  readonly buckets?: readonly number[];
}

/** Every metric that is emitted. Label values are bounded by whoever passes them: a route is its template. */
export const METRICS = {
  tensor_wasm_http_requests_total: {
    type: "counter",
    help: "HTTP requests answered, by route template, method and status",
    labels: ["route", "method", "status"],
  },
  tensor_wasm_http_request_duration_seconds: {
    type: "histogram",
    help: "Time from the first byte of a request to the last of its response, in seconds",
    labels: ["route", "method", "status"],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  tensor_wasm_http_requests_in_flight: {
    type: "gauge",
    help: "HTTP requests being handled",
    labels: ["route", "method"],
  },
  tensor_wasm_active_instances: {
    type: "gauge",
    help: "Guest instances alive, or about to be: calls that wait for a cell count",
    labels: ["tenant"],
  },
  tensor_wasm_instance_spawns_total: {
    type: "counter",
    help: "Guest instances made",
    labels: [],
  },
  tensor_wasm_instance_terminations_total: {
    type: "counter",
    help: "Guest instances ended, on every way out",
    labels: [],
  },
  tensor_wasm_build_info: {
    type: "gauge",
    help: "Always 1; the labels identify the build",
    labels: ["version", "git_sha", "deno_version", "v8_version", "target"],
  },
  tensor_wasm_log_lines_total: {
    type: "counter",
    help: "Log lines written, by whether they carry a trace id",
    labels: ["has_trace"],
  },
  tensor_wasm_log_lines_dropped_total: {
    type: "counter",
    help: "Log lines lost, by reason: output (it did not take them) or guest_rate (a guest logged too much)",
    labels: ["reason"],
  },
  tensor_wasm_spans_dropped_total: {
    type: "counter",
    help: "Spans lost: the queue was full, the export failed, or the process ended first",
    labels: [],
  },
  tensor_wasm_spans_exported_total: {
    type: "counter",
    help: "Spans that the exporter's receiver accepted",
    labels: [],
  },
  tensor_wasm_log_records_exported_total: {
    type: "counter",
    help: "Log records that the OTLP collector accepted",
    labels: [],
  },
  tensor_wasm_log_records_dropped_total: {
    type: "counter",
    help: "Log records lost on their way to the OTLP collector; their lines on standard output were not",
    labels: [],
  },
  tensor_wasm_metric_points_exported_total: {
    type: "counter",
    help: "Metric points that the OTLP collector accepted",
    labels: [],
  },
  tensor_wasm_metric_points_dropped_total: {
    type: "counter",
    help: "Metric points that no OTLP collector accepted; the next export says what they would have said",
    labels: [],
  },
  tensor_wasm_cells: {
    type: "gauge",
    help: "Cell processes, by state",
    labels: ["state"],
  },
  tensor_wasm_cell_kills_total: {
    type: "counter",
    help: "Cell processes killed, by reason",
    labels: ["reason"],
  },
  tensor_wasm_queue_depth: {
    type: "gauge",
    help: "Calls that wait for a slot in a cell",
    labels: [],
  },
  tensor_wasm_queue_wait_seconds: {
    type: "histogram",
    help: "Time from asking for a cell to the first instruction there, or to giving up",
    labels: [],
    buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  tensor_wasm_cell_slots: {
    type: "gauge",
    help: "Calls that can run at a time, by whether the slot is used",
    labels: ["state"],
  },
  tensor_wasm_cell_retirements_total: {
    type: "counter",
    help: "Cells that were drained and replaced, by reason",
    labels: ["reason"],
  },
  tensor_wasm_cell_ping_seconds: {
    type: "histogram",
    help: "Round trips of pings to cells",
    labels: [],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  tensor_wasm_calls_shed_total: {
    type: "counter",
    help: "Calls refused or displaced because too many waited, by whose they were",
    labels: ["kind", "tenant"],
  },
  ...STREAM_METRICS,
  tensor_wasm_call_retries_total: {
    type: "counter",
    help: "Calls run a second time because their cell died and they may",
    labels: [],
  },
  tensor_wasm_jobs_active: {
    type: "gauge",
    help: "Jobs accepted and not ended: those that wait and those that run",
    labels: [],
  },
  tensor_wasm_jobs_queued: {
    type: "gauge",
    help: "Jobs that wait for their turn",
    labels: [],
  },
  tensor_wasm_job_queue_wait_seconds: {
    type: "histogram",
    help: "Time from the acceptance of a job to the start of its run",
    labels: [],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600],
  },
  tensor_wasm_jobs_finished_total: {
    type: "counter",
    help: "Jobs ended, by the state they ended in",
    labels: ["state"],
  },
  tensor_wasm_modules_suspected: {
    type: "gauge",
    help: "Modules under suspicion or in quarantine because cells crashed while they ran",
    labels: [],
  },
  tensor_wasm_guest_calls_total: {
    type: "counter",
    help: "Calls that ran, by tenant and outcome",
    labels: ["tenant", "outcome"],
  },
  tensor_wasm_guest_fuel_total: {
    type: "counter",
    help: "Fuel used by guests: about the instructions they executed",
    labels: ["tenant"],
  },
  tensor_wasm_guest_cpu_seconds_total: {
    type: "counter",
    help: "Time for which guests had a thread",
    labels: ["tenant"],
  },
  tensor_wasm_guest_yields_total: {
    type: "counter",
    help: "Times that guests gave up their thread to others",
    labels: ["tenant"],
  },
  ...GPU_METRICS,
  tensor_wasm_guest_calls_waiting: {
    type: "gauge",
    help: "Calls that wait for a slot in a cell, by tenant",
    labels: ["tenant"],
  },
  tensor_wasm_guest_queue_seconds_total: {
    type: "counter",
    help: "Time for which calls waited for a cell, by tenant",
    labels: ["tenant"],
  },
  tensor_wasm_cpu_memory_bytes_per_tenant: {
    type: "gauge",
    help: "Linear memory of the guests that run",
    labels: ["tenant_id"],
  },
  tensor_wasm_gpu_memory_bytes_per_tenant: {
    type: "gauge",
    help: "Device memory of the guests that run",
    labels: ["tenant_id"],
  },
  tensor_wasm_tenants_tracked: {
    type: "gauge",
    help: "Tenants that have series of their own; the others share the label other",
    labels: [],
  },
  tensor_wasm_pool_draws_total: {
    type: "counter",
    help: "Calls that began, by whether their cell had the module compiled: hit (warm) or miss (cold)",
    labels: ["result"],
  },
  tensor_wasm_backpressure_permits_used: {
    type: "gauge",
    help: "Slots of cells that calls hold",
    labels: [],
  },
  tensor_wasm_backpressure_permits_available: {
    type: "gauge",
    help: "Slots of cells that are free",
    labels: [],
  },
  tensor_wasm_artifact_lookups_total: {
    type: "counter",
    help: "Instrumented modules that calls needed, by where they were: memory, disk, or nowhere (made)",
    labels: ["result"],
  },
  tensor_wasm_module_instrument_seconds: {
    type: "histogram",
    help: "Time that the workshop took to examine and instrument a module",
    labels: [],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  tensor_wasm_module_compile_seconds: {
    type: "histogram",
    help: "Time that the engine of a cell took to compile a module",
    labels: [],
    buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  tensor_wasm_functions_total: {
    type: "counter",
    help: "Functions deployed: versions that were stored",
    labels: [],
  },
  tensor_wasm_request_faults_total: {
    type: "counter",
    help: "Requests that were answered with an error, by its kind",
    labels: ["kind"],
  },
  tensor_wasm_deadlines_exceeded_total: {
    type: "counter",
    help: "Calls whose deadline passed, by where they were: queue or run",
    labels: ["stage"],
  },
  tensor_wasm_ready: {
    type: "gauge",
    help: "1 while the part can serve, as /readyz says it",
    labels: ["part"],
  },
  tensor_wasm_event_loop_delay_seconds: {
    type: "histogram",
    help: "How late the gateway's event loop came to a timer that is set ten times a second",
    labels: [],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  tensor_wasm_cell_starts_total: {
    type: "counter",
    help: "Cell processes that became ready",
    labels: [],
  },
  tensor_wasm_cell_start_failures_total: {
    type: "counter",
    help: "Cell processes that did not become ready",
    labels: [],
  },
  tensor_wasm_cells_resident_bytes: {
    type: "gauge",
    help: "Resident memory of the cells that serve calls, as they said last",
    labels: [],
  },
  tensor_wasm_isolation_violations_total: {
    type: "counter",
    help: "Cells that did what no cell does, and were killed for it: protocol_violation, log_overflow",
    labels: ["kind"],
  },
  tensor_wasm_offload_success_total: {
    type: "counter",
    help: "Kernels that ran on a GPU",
    labels: [],
  },
  tensor_wasm_offload_fallback_total: {
    type: "counter",
    help: "Kernels that ran on the CPU in place of a GPU, by why",
    labels: ["reason"],
  },
  tensor_wasm_jit_cache_warm_hit_total: {
    type: "counter",
    help: "Loads of PTX that were compiled already",
    labels: [],
  },
  tensor_wasm_jit_cache_cold_miss_then_insert_total: {
    type: "counter",
    help: "Loads of PTX that had to be compiled",
    labels: [],
  },
  process_cpu_seconds_total: {
    type: "counter",
    help: "Time of the processor that the gateway has used, in user and system mode",
    labels: [],
  },
  process_resident_memory_bytes: {
    type: "gauge",
    help: "Resident memory of the gateway",
    labels: [],
  },
  process_open_fds: {
    type: "gauge",
    help: "File descriptors that the gateway has open; absent unless it runs with every permission",
    labels: [],
    mayBeAbsent: true,
  },
  process_start_time_seconds: {
    type: "gauge",
    help: "When the gateway started, in seconds since the epoch",
    labels: [],
  },
  ...TRACE_METRICS,
} as const satisfies Record<string, MetricRow>;

/** A metric of the vocabulary. */
export type MetricName = keyof typeof METRICS;

/** The metrics of one type. */
export type MetricNameOf<T extends MetricType> = {
  [N in MetricName]: (typeof METRICS)[N]["type"] extends T ? N : never;
}[MetricName];

/** The labels of a metric, all of them. */
export type MetricLabels<N extends MetricName> = {
  readonly [K in (typeof METRICS)[N]["labels"][number]]: string;
};
