/**
 * The report of a request that did not succeed: its line `request.failed`, and the count of its kind.
 *
 * Owns their fields and the line's level. Invariant: the text of a bug goes to the log alone, with its stack; a
 * fault's text is what the caller was told.
 */
import type { SpanIds, Telemetry } from "../../telemetry/mod.ts";
import type { Stage } from "./environment.ts";
import type { Problem } from "./problem.ts";

/** Where a failure happened, and what it was. */
export interface FailurePlace {
  readonly stage: Stage;
  readonly error: unknown;
  /** The request's span, as the count's exemplar. */
  readonly ids: SpanIds | undefined;
}

/** Logs and counts a failure. */
export function reportFailure(
  telemetry: Telemetry,
  problem: Problem,
  { stage, error, ids }: FailurePlace,
): void {
  const { kind, status, message } = problem;
  telemetry.metrics.counter("tensor_wasm_request_faults_total", { kind }).inc(1, ids);
  const log = telemetry.log("tensor_wasm_api");
  const fields = { kind, status, stage };
  if (kind === "internal") log.error("request.failed", { ...fields, error });
  else log[status >= 500 ? "error" : "warn"]("request.failed", { ...fields, error: message });
}

/** How a client has failed its answer: it has left, or reads the rest of it too slowly, or not at all. */
export type Departure = "client_gone" | "client_slow" | "client_stalled";

/** Logs that nobody takes the answer any more. It is no failure of ours and counts as none. */
export function reportDeparture(telemetry: Telemetry, kind: Departure, status: number, stage: Stage): void {
  telemetry.log("tensor_wasm_api").info("request.failed", { kind, status, stage });
}
