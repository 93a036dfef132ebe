/**
 * Trace metric names: the rows of the vocabulary of metrics that are about traces.
 *
 * Owns what metric_names.ts owns, for the trace store and for tail sampling. Invariant: as there.
 */
import type { MetricRow } from "./metric_names.ts";

/** Metrics of the trace store. */
export const TRACE_METRICS = {
  tensor_wasm_trace_store_traces: {
    type: "gauge",
    help: "Traces in the embedded store",
    labels: [],
  },
  tensor_wasm_trace_store_bytes: {
    type: "gauge",
    help: "Bytes of the traces in the embedded store",
    labels: [],
  },
  tensor_wasm_trace_store_evicted_total: {
    type: "counter",
    help: "Parts of traces that made room for newer ones, by the bound that was reached",
    labels: ["reason"],
  },
  tensor_wasm_trace_store_dropped_total: {
    type: "counter",
    help: "Parts of traces that are not in the store (trace_full), or not on its disk (disk_*), by reason",
    labels: ["reason"],
  },
} as const satisfies Record<string, MetricRow>;
