/**
 * The fault that a failed outcome is to a caller, whichever way the call was asked for.
 *
 * Owns the mapping and its public texts. Invariant: every outcome but a success has one, except the cancel by a
 * caller who does not wait for it any more.
 */
import { fault } from "./fault.ts";
import type { RuntimeFault } from "./fault.ts";
import { unreachable } from "./invariant.ts";
import { limitMessage } from "./limits.ts";
import { TRAPS } from "./outcome.ts";
import type { GpuFailure, Outcome } from "./outcome.ts";

const GPU_FAILURES = {
  gpu_fault: "A kernel of the call, or of one beside it, failed on the GPU",
  gpu_timeout: "A kernel of the call did not end within its deadline",
  gpu_reset: "Another call of the tenant made its part of the GPU unusable",
} as const satisfies Record<GpuFailure, string>;

/** The fault of a failed outcome; undefined for a call that its own caller cancelled. */
export function outcomeFault(outcome: Exclude<Outcome, { type: "returned" }>): RuntimeFault | undefined {
  switch (outcome.type) {
    case "exited":
      return fault("guest_exit", `Guest ended with exit code ${outcome.exitCode}`);
    case "trapped":
      return fault("wasmtime", `Guest trapped: ${TRAPS[outcome.trap]}`);
    case "exhausted":
      return outcome.limit === "deadline_ms"
        ? fault(
          "invoke_timeout",
          limitMessage("Call did not finish within its deadline", "deadlineMs", outcome.max, outcome.actual),
        )
        : fault(
          "guest_limit_exceeded",
          limitMessage("Guest exceeded a limit", outcome.limit, outcome.max, outcome.actual),
        );
    case "cancelled":
      if (outcome.by === "client") return undefined;
      return fault("capacity_exhausted", "Call was cancelled: the gateway is shutting down", {
        retryAfterSeconds: 1,
      });
    case "gpu_failed":
      return fault(outcome.kind, `${GPU_FAILURES[outcome.kind]}: ${outcome.status}`);
    case "lost":
      return fault("cell_lost", `The process that ran the call died: ${outcome.reason}`);
    default:
      return unreachable(outcome);
  }
}
