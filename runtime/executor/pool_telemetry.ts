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

/** Makes the observer of a pool. */
export function observePool(telemetry: Telemetry): PoolObserver {
  const { metrics } = telemetry;
  const log = telemetry.log("tensor_wasm_exec");
  return {
    cellStarted: (cell, startMs) => {
      log.info("cell.started", { cell: cell.id, pid: cell.pid, start_ms: Math.round(startMs) });
    },
    cellEnded: (cell) => {
      const reason = cell.deathReason;
      const isExpected = EXPECTED_REASONS.has(reason);
      if (!isExpected) metrics.counter("tensor_wasm_cell_kills_total", { reason }).inc();
      log[isExpected ? "info" : "warn"]("cell.ended", {
        cell: cell.id,
        pid: cell.pid,
        reason,
      });
    },
    cellFailedToStart: (error) => log.error("cell.start_failed", { error }),
  };
}
