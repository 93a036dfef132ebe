/**
 * Trace metric names: the rows of the vocabulary of metrics that are about traces.
 *
 * Owns what metric_names.ts owns, for the trace store and for tail sampling. Invariant: as there.
 */
import type { MetricRow } from "./metric_names.ts";

/** Metrics of the trace store and of tail sampling. */
export const TRACE_METRICS = {
  tensor_wasm_traces_sampled_total: {
    type: "counter",
    help:
      "Parts of traces by what decided on their export: head, error, timeout, kill and slow are exported, dropped, overflow and expired are not; absent without an exporter",
    labels: ["decision"],
    mayBeAbsent: true,
  },
  tensor_wasm_tail_spans: {
    type: "gauge",
    help: "Spans held until it is decided whether their trace is exported; absent without an exporter",
    labels: [],
    mayBeAbsent: true,
  },
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
