/**
 * Names of the metrics of streams and of large answers: their part of the vocabulary of metric_names.ts.
 *
 * Owns the rows; counting is the gateway's. Invariant: as there, a name is a promise.
 */
import type { MetricRow } from "./metric_names.ts";

/** Every metric of streams and of large answers. */
export const STREAM_METRICS = {
  tensor_wasm_streams_active: {
    type: "gauge",
    help: "Streams whose last byte has not left",
    labels: [],
  },
  tensor_wasm_stream_held_bytes: {
    type: "gauge",
    help: "Bytes of all streams that guests have written and clients have not been ready to read",
    labels: [],
  },
  tensor_wasm_streaming_chunks_emitted_total: {
    type: "counter",
    help: "Chunks of streams that guests have written",
    labels: [],
  },
  tensor_wasm_streaming_chunks_rejected_total: {
    type: "counter",
    help: "Chunks of streams that were refused to guests: too large, or not in their memory",
    labels: [],
  },
  tensor_wasm_streaming_bytes_total: {
    type: "counter",
    help: "Bytes of streams that guests have written",
    labels: [],
  },
  tensor_wasm_answers_held_bytes: {
    type: "gauge",
    help: "Bytes of answers larger than 64 KiB that have not been read to their end",
    labels: [],
  },
  tensor_wasm_answers_broken_off_total: {
    type: "counter",
    help:
      "Large answers that were broken off: their clients read nothing, or too slowly when too much was held",
    labels: ["reason"],
  },
} as const satisfies Record<string, MetricRow>;
