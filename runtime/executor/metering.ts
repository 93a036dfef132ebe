/**
 * Metering: calls as metrics: how long they waited, how they began, what they used and what became of them.
 *
 * Owns what is counted of a call; which tenants have series of their own is tenant_series.ts. It stores nothing
 * durable. Invariant: every call that was begun is counted exactly once, by `record` if it ran in a cell and by
 * `refused` if it did not.
 */
import type { Counter, Histogram, Metrics, SpanIds } from "../../telemetry/mod.ts";
import type { Execution } from "../model/invocation.ts";
import type { TenantSeries, TenantTable } from "./tenant_series.ts";

/** The code of a call that waited until its deadline. */
const DEADLINE_CODE = "invoke_timeout";

/** Counts calls. */
export class Metering {
  readonly #tenants: TenantTable;
  readonly #queueWait: Histogram;
  readonly #warm: Counter;
  readonly #cold: Counter;
  readonly #lateInQueue: Counter;
  readonly #lateInRun: Counter;

  constructor(metrics: Metrics, tenants: TenantTable) {
    this.#tenants = tenants;
    this.#queueWait = metrics.histogram("tensor_wasm_queue_wait_seconds", {});
    this.#warm = metrics.counter("tensor_wasm_pool_draws_total", { result: "hit" });
    this.#cold = metrics.counter("tensor_wasm_pool_draws_total", { result: "miss" });
    this.#lateInQueue = metrics.counter("tensor_wasm_deadlines_exceeded_total", { stage: "queue" });
    this.#lateInRun = metrics.counter("tensor_wasm_deadlines_exceeded_total", { stage: "run" });
  }

  /** A call begins: the returned series are its tenant's for as long as it lasts; `end` them. */
  begin(tenant: string): TenantSeries {
    const series = this.#tenants.of(tenant);
    series.begin();
    return series;
  }

  /** The series of a tenant with a call under way. */
  seriesOf(tenant: string): TenantSeries {
    return this.#tenants.of(tenant);
  }

  /** Counts a call that ran. `ids` are of its span, `beganAtMs` is when it did: asking the clock again would cost more than all of this. */
  record(
    series: TenantSeries,
    { outcome, usage, queueMs, cold }: Pick<Execution, "outcome" | "usage" | "queueMs" | "cold">,
    ids?: SpanIds,
    beganAtMs?: number,
  ): void {
    this.#waited(series, queueMs, ids, beganAtMs);
    (cold ? this.#cold : this.#warm).inc(1, cold ? ids : undefined);
    series.fuel.inc(usage.fuel);
    series.cpuSeconds.inc(usage.cpuUs / 1e6);
    series.yields.inc(usage.yields);
    // Whose trace is worth a look is that of a call that failed.
    series.calls(outcome.type).inc(1, outcome.type === "returned" ? undefined : ids);
    if (outcome.type === "exhausted" && outcome.limit === "deadline_ms") this.#lateInRun.inc(1, ids);
  }

  /** Counts a call that never began, with the code of its fault if it was one. */
  refused(
    series: TenantSeries,
    code: string | undefined,
    queueMs: number,
    ids?: SpanIds,
    atMs?: number,
  ): void {
    this.#waited(series, queueMs, ids, atMs);
    if (code === DEADLINE_CODE) this.#lateInQueue.inc(1, ids);
  }

  #waited(series: TenantSeries, queueMs: number, ids: SpanIds | undefined, atMs: number | undefined): void {
    this.#queueWait.observe(queueMs / 1000, ids, atMs);
    series.queueSeconds.inc(queueMs / 1000);
  }
}
