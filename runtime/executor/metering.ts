/**
 * Metering: what tenants' calls have used, as metrics.
 *
 * Owns what is counted of a call that ran; which tenants have series of their own is tenant_series.ts. It
 * stores nothing durable. Invariant: every call that ended in a cell is counted exactly once.
 */
import type { SpanIds } from "../../telemetry/mod.ts";
import type { Execution } from "../model/invocation.ts";
import type { TenantSeries, TenantTable } from "./tenant_series.ts";

/** Counts usage by tenant. */
export class Metering {
  readonly #tenants: TenantTable;

  constructor(tenants: TenantTable) {
    this.#tenants = tenants;
  }

  /** A call begins: the returned series are the tenant's for as long as it lasts; `end` them. */
  begin(tenant: string): TenantSeries {
    const series = this.#tenants.of(tenant);
    series.begin();
    return series;
  }

  /** Counts one call. `ids` are of its span. */
  record(
    series: TenantSeries,
    { outcome, usage }: Pick<Execution, "outcome" | "usage">,
    ids?: SpanIds,
  ): void {
    series.fuel.inc(usage.fuel);
    series.cpuSeconds.inc(usage.cpuUs / 1e6);
    series.yields.inc(usage.yields);
    series.calls(outcome.type).inc(1, ids);
  }
}
