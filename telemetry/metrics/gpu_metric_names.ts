/**
 * Names of the metrics of devices and kernels: their part of the vocabulary of metric_names.ts.
 *
 * Owns the rows alone; the invariants are those of the whole.
 */
import type { MetricRow } from "./metric_names.ts";

/** Metrics of devices and kernels. */
export const GPU_METRICS = {
  tensor_wasm_kernel_dispatches_total: {
    type: "counter",
    help: "Kernels that devices were given",
    labels: ["device", "tenant"],
  },
  tensor_wasm_kernel_latency_seconds: {
    type: "histogram",
    help: "Time that devices were busy with a kernel, or that a launch took where they do not tell",
    labels: ["device"],
    buckets: [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10],
  },
  tensor_wasm_kernel_errors_total: {
    type: "counter",
    help: "Failures of devices, by the name of the CUresult",
    labels: ["device", "status"],
  },
  tensor_wasm_gpu_memory_used_bytes: {
    type: "gauge",
    help: "Device memory of the calls that run",
    labels: ["device", "tenant"],
  },
  tensor_wasm_guest_device_seconds_total: {
    type: "counter",
    help: "Time for which devices were busy for guests",
    labels: ["tenant"],
  },
  tensor_wasm_gpu_permits: {
    type: "gauge",
    help: "Calls that may launch kernels on a GPU at a time, by whether the permit is used",
    labels: ["device", "state"],
    mayBeAbsent: true,
  },
  tensor_wasm_gpu_permit_wait_seconds: {
    type: "histogram",
    help: "Time for which calls that came to use a GPU waited for it, in their cells",
    labels: ["device"],
    buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    mayBeAbsent: true,
  },
  tensor_wasm_ptx_loads_total: {
    type: "counter",
    help: "Loads of PTX: compiled, cached (the call had the same text loaded) or failed",
    labels: ["device", "result"],
  },
  tensor_wasm_ptx_compile_seconds: {
    type: "histogram",
    help: "Time that devices took to compile PTX",
    labels: ["device"],
    buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
} as const satisfies Record<string, MetricRow>;
