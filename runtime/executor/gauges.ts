/**
 * Gauges: what is asked for when metrics are read, and not counted as it happens.
 *
 * Owns the questions to the pool, the quarantine and the tenants' table, and idle tenants' end. Invariant: an
 * answer costs a look at each cell, each waiting tenant and each series, and makes no series but the listed.
 */
import type { Metrics } from "../../telemetry/mod.ts";
import type { TenantMemory } from "../wire/messages.ts";
import type { PoolCounts } from "./cell_pool.ts";
import type { TenantTable } from "./tenant_series.ts";

/** A cell as far as gauges are made of it. */
interface MeasuredCell {
  readonly residentBytes?: number | undefined;
  readonly tenantMemory?: readonly TenantMemory[];
}

/** Cells and their line as far as gauges are made of them. */
export interface MeasuredPool {
  counts(): PoolCounts;
  waiting(): Iterable<readonly [tenant: string, count: number]>;
  cells(): Iterable<MeasuredCell>;
}

/** Two pools as one. */
export function together(first: MeasuredPool, second: MeasuredPool): MeasuredPool {
  return {
    counts: () => {
      const [counts, more] = [first.counts(), second.counts()];
      const keys = Object.keys(counts) as (keyof PoolCounts)[];
      return Object.fromEntries(keys.map((key) => [key, counts[key] + more[key]])) as unknown as PoolCounts;
    },
    waiting: () => [...first.waiting(), ...second.waiting()],
    cells: () => [...first.cells(), ...second.cells()],
  };
}

/** What is asked. */
export interface GaugeSources {
  readonly pool: MeasuredPool;
  readonly tenants: TenantTable;
  /** Modules under suspicion. */
  readonly suspectCount: () => number;
  /** Which parts can serve right now. */
  readonly readiness: () => Readonly<Record<string, boolean>>;
}

/** Has the gauges set before every reading; the returned function ends that. */
export function keepGauges(metrics: Metrics, sources: GaugeSources): () => void {
  return metrics.beforeRead(() => {
    setPoolGauges(metrics, sources.pool.counts());
    metrics.gauge("tensor_wasm_modules_suspected", {}).set(sources.suspectCount());
    for (const [part, isReady] of Object.entries(sources.readiness())) {
      metrics.gauge("tensor_wasm_ready", { part }).set(isReady ? 1 : 0);
    }
    sources.tenants.sweep();
    setTenantGauges(metrics, sources);
  });
}

function setPoolGauges(metrics: Metrics, counts: PoolCounts): void {
  const { cells, starting, slotsFree, slotsUsed, queueDepth } = counts;
  metrics.gauge("tensor_wasm_cells", { state: "live" }).set(cells);
  metrics.gauge("tensor_wasm_cells", { state: "starting" }).set(starting);
  metrics.gauge("tensor_wasm_cell_slots", { state: "free" }).set(slotsFree);
  metrics.gauge("tensor_wasm_cell_slots", { state: "used" }).set(slotsUsed);
  metrics.gauge("tensor_wasm_backpressure_permits_available", {}).set(slotsFree);
  metrics.gauge("tensor_wasm_backpressure_permits_used", {}).set(slotsUsed);
  metrics.gauge("tensor_wasm_queue_depth", {}).set(queueDepth);
}

/** What a tenant has now, by its label; those without series of their own are added up. */
interface Holdings {
  waiting: number;
  memoryBytes: number;
  deviceBytes: number;
}

function setTenantGauges(metrics: Metrics, { pool, tenants }: GaugeSources): void {
  const held = new Map<string, Holdings>();
  const of = (tenant: string): Holdings => {
    const { label } = tenants.find(tenant);
    let holdings = held.get(label);
    if (holdings === undefined) {
      holdings = { waiting: 0, memoryBytes: 0, deviceBytes: 0 };
      held.set(label, holdings);
    }
    return holdings;
  };
  for (const [tenant, count] of pool.waiting()) of(tenant).waiting += count;
  let residentBytes = 0;
  for (const cell of pool.cells()) {
    residentBytes += cell.residentBytes ?? 0;
    for (const { tenant, memoryBytes, deviceBytes } of cell.tenantMemory ?? []) {
      const holdings = of(tenant);
      holdings.memoryBytes += memoryBytes;
      holdings.deviceBytes += deviceBytes;
    }
  }
  for (const series of tenants.all()) {
    const holdings = held.get(series.label);
    series.waiting.set(holdings?.waiting ?? 0);
    series.cpuBytes.set(holdings?.memoryBytes ?? 0);
    series.setGpuBytes(holdings?.deviceBytes ?? 0);
  }
  metrics.gauge("tensor_wasm_cells_resident_bytes", {}).set(residentBytes);
  metrics.gauge("tensor_wasm_tenants_tracked", {}).set(tenants.size);
}
