/**
 * GpuMetering: what calls did with the device, as metrics.
 *
 * Owns the series, all of one device; dispatches and memory by tenant are in tenant_series.ts. Invariant: the
 * series of the device are there from the start, so that no rate over the first event is lost; those of
 * failures come with the first, by a name of a closed list.
 */
import type { Counter, Histogram, Metrics, SpanIds } from "../../telemetry/mod.ts";
import type { GpuReport } from "../wire/messages.ts";
import type { TenantSeries } from "./tenant_series.ts";

/** Failure whose series is there from the start. */
const FIRST_STATUS = "CUDA_ERROR_ILLEGAL_ADDRESS";

/** Why kernels run on the CPU: it was asked for, or the host offers no GPU. */
export type FallbackReason = "configured" | "no_gpu";

/** Counts reports of calls. */
export class GpuMetering {
  readonly #metrics: Metrics;
  /** The kind of the device, a label and an attribute. */
  readonly device: string;
  readonly #latency: Histogram;
  readonly #compiles: Histogram;
  readonly #loads: Readonly<Record<keyof GpuReport["loads"], Counter>>;
  readonly #warmHits: Counter;
  readonly #coldMisses: Counter;
  readonly #offloads: Counter;

  /** @param fallback why kernels run on the CPU, where they do */
  constructor(metrics: Metrics, device: string, fallback: FallbackReason = "no_gpu") {
    const loads = (result: string): Counter =>
      metrics.counter("tensor_wasm_ptx_loads_total", { device, result });
    this.#metrics = metrics;
    this.device = device;
    this.#latency = metrics.histogram("tensor_wasm_kernel_latency_seconds", { device });
    this.#compiles = metrics.histogram("tensor_wasm_ptx_compile_seconds", { device });
    this.#loads = { compiled: loads("compiled"), cached: loads("cached"), failed: loads("failed") };
    this.#warmHits = metrics.counter("tensor_wasm_jit_cache_warm_hit_total", {});
    this.#coldMisses = metrics.counter("tensor_wasm_jit_cache_cold_miss_then_insert_total", {});
    const fallbacks = metrics.counter("tensor_wasm_offload_fallback_total", { reason: fallback });
    this.#offloads = device === "cuda" ? metrics.counter("tensor_wasm_offload_success_total", {}) : fallbacks;
    metrics.counter("tensor_wasm_kernel_errors_total", { device, status: FIRST_STATUS });
  }

  /** Counts what one call did. `ids` are of its span, the exemplar of the kernels that it launched. */
  record(report: GpuReport, of: TenantSeries, ids?: SpanIds): void {
    const { spans, dispatches, compiles, loads, failures, deviceUs } = report;
    const count = dispatches.counts.reduce((sum, bucket) => sum + bucket, 0);
    if (count > 0) of.dispatches.inc(count);
    if (deviceUs > 0) of.deviceSeconds.inc(deviceUs / 1e6);
    this.#offloads.inc(count);
    this.#latency.observeAll(dispatches.counts, dispatches.sumSeconds);
    this.#compiles.observeAll(compiles.counts, compiles.sumSeconds);
    for (const result of ["compiled", "cached", "failed"] as const) this.#loads[result].inc(loads[result]);
    this.#warmHits.inc(loads.cached);
    this.#coldMisses.inc(loads.compiled);
    for (const [status, failed] of Object.entries(failures)) {
      this.#metrics.counter("tensor_wasm_kernel_errors_total", { device: this.device, status })
        .inc(failed, ids);
    }
    if (ids === undefined) return;
    for (const span of spans) {
      const deviceTimeUs = span.type === "launch" ? span.dispatch?.deviceTimeUs : undefined;
      if (deviceTimeUs !== undefined) this.#latency.exemplify(deviceTimeUs / 1e6, ids);
    }
  }
}
