/**
 * GpuMetering: what calls did with the device, as metrics.
 *
 * Owns the series, all of one device. It knows no tenant. Invariant: the series of the device are there from
 * the start, so that no rate over the first event is lost; those of failures come with the first, by a name of
 * a closed list.
 */
import type { Counter, Histogram, Metrics } from "../../telemetry/mod.ts";
import type { GpuReport } from "../wire/messages.ts";

/** Failure whose series is there from the start. */
const FIRST_STATUS = "CUDA_ERROR_ILLEGAL_ADDRESS";

/** Counts reports of calls. */
export class GpuMetering {
  readonly #metrics: Metrics;
  /** The kind of the device, a label and an attribute. */
  readonly device: string;
  readonly #dispatches: Counter;
  readonly #latency: Histogram;
  readonly #compiles: Histogram;
  readonly #loads: Readonly<Record<keyof GpuReport["loads"], Counter>>;

  constructor(metrics: Metrics, device: string) {
    const loads = (result: string): Counter =>
      metrics.counter("tensor_wasm_ptx_loads_total", { device, result });
    this.#metrics = metrics;
    this.device = device;
    this.#dispatches = metrics.counter("tensor_wasm_kernel_dispatches_total", { device });
    this.#latency = metrics.histogram("tensor_wasm_kernel_latency_seconds", { device });
    this.#compiles = metrics.histogram("tensor_wasm_ptx_compile_seconds", { device });
    this.#loads = { compiled: loads("compiled"), cached: loads("cached"), failed: loads("failed") };
    this.setMemory(0);
    metrics.counter("tensor_wasm_kernel_errors_total", { device, status: FIRST_STATUS });
  }

  /** Counts what one call did. */
  record({ dispatches, compiles, loads, failures }: GpuReport): void {
    this.#dispatches.inc(dispatches.counts.reduce((sum, count) => sum + count, 0));
    this.#latency.observeAll(dispatches.counts, dispatches.sumSeconds);
    this.#compiles.observeAll(compiles.counts, compiles.sumSeconds);
    for (const result of ["compiled", "cached", "failed"] as const) this.#loads[result].inc(loads[result]);
    for (const [status, count] of Object.entries(failures)) {
      this.#metrics.counter("tensor_wasm_kernel_errors_total", { device: this.device, status }).inc(count);
    }
  }

  /** Device memory of all calls now. */
  setMemory(bytes: number): void {
    this.#metrics.gauge("tensor_wasm_gpu_memory_used_bytes", { device: this.device }).set(bytes);
  }
}
