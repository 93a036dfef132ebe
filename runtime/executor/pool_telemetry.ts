/**
 * What operators see of the pool: log lines and metrics of cells and of the queue.
 *
 * Invariant: every cell that starts has one `cell.started` line and, when it ends, one `cell.ended` line
 * with its reason.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import type { PooledCell, PoolObserver } from "./cell_pool.ts";
import type { TenantTable } from "./tenant_series.ts";

/** Ends that are part of normal operation. */
const EXPECTED_REASONS = new Set(["closed", "idle", "evicted", "turn"]);
/** Ends of cells that did what none does: whatever runs in them has got beyond its bounds, or tried to. */
const VIOLATIONS = ["protocol_violation", "log_overflow"];
/** Kills that are looked for first: their series are there from the start. */
const KILL_REASONS = [
  "memory",
  "unresponsive",
  "overdue",
  "quarantined",
  "cell_out_of_memory",
  "cell_sigkill",
  "gpu_fault",
  "gpu_timeout",
];

/** Makes the observer of a pool; its name tells the cells of one from those of another in logs. */
export function observePool(
  telemetry: Telemetry,
  pool: "calls" | "workshop" | "gpu",
  tenants: TenantTable,
): PoolObserver {
  const { metrics, tracer } = telemetry;
  const log = telemetry.log("tensor_wasm_exec");
  // A cell outlives the request in whose context something is found out about it.
  const processLog = telemetry.processLog("tensor_wasm_exec");
  // Series that are there from the start, so that a rate over the first event is not lost.
  metrics.counter("tensor_wasm_cell_retirements_total", { reason: "memory" });
  for (const reason of KILL_REASONS) metrics.counter("tensor_wasm_cell_kills_total", { reason });
  for (const kind of VIOLATIONS) metrics.counter("tensor_wasm_isolation_violations_total", { kind });
  const starts = metrics.counter("tensor_wasm_cell_starts_total", {});
  const startFailures = metrics.counter("tensor_wasm_cell_start_failures_total", {});
  return {
    cellStarted: (cell, startMs) => {
      starts.inc();
      processLog.info("cell.started", { pool, ...fieldsOf(cell), start_ms: Math.round(startMs) });
    },
    cellEnded: (cell) => {
      const reason = cell.deathReason;
      const isExpected = EXPECTED_REASONS.has(reason);
      if (!isExpected) metrics.counter("tensor_wasm_cell_kills_total", { reason }).inc();
      if (VIOLATIONS.includes(reason)) {
        metrics.counter("tensor_wasm_isolation_violations_total", { kind: reason }).inc();
      }
      processLog[isExpected ? "info" : "warn"]("cell.ended", { pool, ...fieldsOf(cell), reason });
    },
    cellRetired: (cell, reason) => {
      metrics.counter("tensor_wasm_cell_retirements_total", { reason }).inc();
      processLog.warn("cell.retired", { pool, ...fieldsOf(cell), reason });
    },
    shed: (kind, tenant) => {
      // Of one that is displaced the newcomer's trace is at hand: it tells who came, and is no example of a refusal.
      const ids = kind === "displaced" ? undefined : tracer.activeIds();
      tenants.of(tenant).shed(kind).inc(1, ids);
      log.warn("call.shed", { kind, tenant });
    },
    cellFailedToStart: (error) => {
      startFailures.inc();
      processLog.error("cell.start_failed", { pool, error });
    },
  };
}

/** What tells a cell from others in the log. */
function fieldsOf({ id, pid, tenant, device }: PooledCell): Record<string, string | number> {
  return {
    cell: id,
    pid,
    ...(tenant === undefined ? {} : { tenant }),
    ...(device === undefined ? {} : { device }),
  };
}
