/**
 * Metering: what tenants' calls have used, as metrics.
 *
 * Owns the per-tenant series and their bound: callers choose tenant numbers, so past TENANTS_MAX of them the
 * others share one series. It stores nothing durable. Invariant: every call that ended in a cell is counted
 * exactly once.
 */
import type { Counter, Metrics } from "../../telemetry/mod.ts";
import type { Execution } from "../model/invocation.ts";

/** Most tenants with series of their own. */
export const TENANTS_MAX = 1_000;
/** Label of the others. */
export const OTHER_TENANTS = "other";

interface TenantSeries {
  readonly fuel: Counter;
  readonly cpuSeconds: Counter;
  readonly yields: Counter;
  readonly calls: Map<string, Counter>;
}

/** Counts usage by tenant. */
export class Metering {
  readonly #metrics: Metrics;
  readonly #series = new Map<string, TenantSeries>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Counts one call. */
  record(tenant: string, { outcome, usage }: Pick<Execution, "outcome" | "usage">): void {
    const label = this.#series.has(tenant) || this.#series.size < TENANTS_MAX ? tenant : OTHER_TENANTS;
    const series = this.#seriesOf(label);
    series.fuel.inc(usage.fuel);
    series.cpuSeconds.inc(usage.cpuUs / 1e6);
    series.yields.inc(usage.yields);
    let calls = series.calls.get(outcome.type);
    if (calls === undefined) {
      calls = this.#metrics.counter("tensor_wasm_guest_calls_total", {
        tenant: label,
        outcome: outcome.type,
      });
      series.calls.set(outcome.type, calls);
    }
    calls.inc();
  }

  #seriesOf(tenant: string): TenantSeries {
    let series = this.#series.get(tenant);
    if (series === undefined) {
      series = {
        fuel: this.#metrics.counter("tensor_wasm_guest_fuel_total", { tenant }),
        cpuSeconds: this.#metrics.counter("tensor_wasm_guest_cpu_seconds_total", { tenant }),
        yields: this.#metrics.counter("tensor_wasm_guest_yields_total", { tenant }),
        calls: new Map(),
      };
      this.#series.set(tenant, series);
    }
    return series;
  }
}
