/**
 * What operators see of the pool: log lines and metrics of cells and of the queue.
 *
 * Invariant: every cell that starts has one `cell.started` line and, when it ends, one `cell.ended` line
 * with its reason.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import type { PoolObserver } from "./cell_pool.ts";

/** Ends that are part of normal operation. */
const EXPECTED_REASONS = new Set(["closed", "idle"]);

/** Makes the observer of a pool; its name tells the cells of one from those of another in logs. */
export function observePool(telemetry: Telemetry, pool: "calls" | "workshop"): PoolObserver {
  const { metrics } = telemetry;
  const log = telemetry.log("tensor_wasm_exec");
  // Series that are there from the start, so that a rate over the first event is not lost.
  metrics.counter("tensor_wasm_cell_retirements_total", { reason: "memory" });
  for (const kind of ["capacity", "tenant", "displaced"]) {
    metrics.counter("tensor_wasm_calls_shed_total", { kind });
  }
  return {
    cellStarted: (cell, startMs) => {
      log.info("cell.started", { pool, cell: cell.id, pid: cell.pid, start_ms: Math.round(startMs) });
    },
    cellEnded: (cell) => {
      const reason = cell.deathReason;
      const isExpected = EXPECTED_REASONS.has(reason);
      if (!isExpected) metrics.counter("tensor_wasm_cell_kills_total", { reason }).inc();
      log[isExpected ? "info" : "warn"]("cell.ended", {
        pool,
        cell: cell.id,
        pid: cell.pid,
        reason,
      });
    },
    cellRetired: (cell, reason) => {
      metrics.counter("tensor_wasm_cell_retirements_total", { reason }).inc();
      log.warn("cell.retired", { pool, cell: cell.id, pid: cell.pid, reason });
    },
    shed: (kind, tenant) => {
      metrics.counter("tensor_wasm_calls_shed_total", { kind }).inc();
      // Who is displaced says so itself; here another call's trace is at hand.
      if (kind !== "displaced") log.warn("call.shed", { kind, tenant });
    },
    cellFailedToStart: (error) => log.error("cell.start_failed", { pool, error }),
  };
}
