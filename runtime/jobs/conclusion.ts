/**
 * Conclusion: what the end of a run means for its job.
 *
 * Owns the table from Execution or error to the next state. Pure. Invariant: every way in which a run can end has
 * exactly one conclusion, and a job that its caller cancelled never runs again.
 */
import { ClientGone } from "../executor/admission.ts";
import { fault, RuntimeFault, toFaultRecord } from "../model/fault.ts";
import type { FaultCode, FaultRecord } from "../model/fault.ts";
import type { Execution } from "../model/invocation.ts";
import type { FinalJobState, JobEnd } from "../model/job.ts";
import type { Limits } from "../model/limits.ts";
import { limitMessage } from "../model/limits.ts";
import { outcomeFault } from "../model/outcome_fault.ts";

/** What is to become of a job. */
export type Conclusion =
  | {
    readonly type: "end";
    readonly state: FinalJobState;
    readonly end: JobEnd;
    readonly output: Uint8Array;
    /** Kind of the failure; undefined for a success. */
    readonly kind: FaultCode | undefined;
  }
  /** It never began, because there was no room: another time. */
  | { readonly type: "put_off"; readonly afterMs: number }
  /** The gateway ends, and the job is left to the next one; `hasRun` tells whether this counts as an attempt. */
  | { readonly type: "requeue"; readonly hasRun: boolean };

/** What a conclusion depends on besides the run itself. */
export interface Circumstances {
  /** Since the job was accepted. */
  readonly waitedMs: number;
  readonly limits: Limits;
  readonly isCancelled: boolean;
  readonly isDraining: boolean;
  /** Whether the job may run once more after an interruption. */
  readonly mayRunAgain: boolean;
}

const NO_BYTES = new Uint8Array(0);
const NO_ROOM: ReadonlySet<FaultCode> = new Set(["capacity_exhausted", "tenant_capacity_exhausted"]);
const PUT_OFF_SECONDS = 1;

/** The conclusion of a run that a cell answered, or was to. */
export function concludeExecution(execution: Execution, circumstances: Circumstances): Conclusion {
  const { outcome, output, contentType, usage, queueMs } = execution;
  if (outcome.type === "cancelled" && !circumstances.isCancelled) {
    return circumstances.mayRunAgain ? { type: "requeue", hasRun: true } : interrupted();
  }
  if (outcome.type === "cancelled") return cancelled();
  const end: JobEnd = {
    type: "ran",
    outcome,
    ...(contentType === undefined ? {} : { contentType }),
    usage,
    queueMs,
  };
  const isSuccess = outcome.type === "returned" || (outcome.type === "exited" && outcome.exitCode === 0);
  if (isSuccess) return { type: "end", state: "completed", end, output, kind: undefined };
  // What a failed guest had written is not given out, as with a call that is waited for.
  return { type: "end", state: "failed", end, output: NO_BYTES, kind: outcomeFault(outcome)?.code };
}

/** The conclusion of a run that threw; anything but a fault is a bug, whose text stays in the log. */
export function concludeError(error: unknown, circumstances: Circumstances): Conclusion {
  if (circumstances.isCancelled || error instanceof ClientGone) return cancelled();
  if (!(error instanceof RuntimeFault)) return failed(fault("internal", "Internal error"));
  // A deadline that passes in the run is an outcome; this is the end of its patience with the cells.
  if (error.code === "invoke_timeout") return expired(circumstances.waitedMs, circumstances.limits);
  if (!NO_ROOM.has(error.code)) return failed(error);
  if (circumstances.isDraining) return { type: "requeue", hasRun: false };
  return { type: "put_off", afterMs: 1000 * (error.retryAfterSeconds ?? PUT_OFF_SECONDS) };
}

/** A job that its caller cancelled. */
export function cancelled(): Conclusion & { readonly type: "end" } {
  return ended("cancelled", { code: "job_cancelled", message: "Job was cancelled" });
}

/** A job that the end of a gateway stopped, and that may not run again. */
export function interrupted(): Conclusion & { readonly type: "end" } {
  const message = "The gateway ended while the job ran, and it may not run again";
  return ended("interrupted", { code: "job_interrupted", message });
}

/** A job that waited for longer than it may. */
export function expired(waitedMs: number, { jobQueueMsMax }: Limits): Conclusion & { readonly type: "end" } {
  const what = "Job has waited for its turn for too long";
  return failed(
    fault("job_expired", limitMessage(what, "jobQueueMsMax", jobQueueMsMax, Math.round(waitedMs))),
  );
}

/** A job that failed without a run to speak of. */
export function failed(error: RuntimeFault): Conclusion & { readonly type: "end" } {
  return ended("failed", toFaultRecord(error));
}

function ended(state: FinalJobState, record: FaultRecord): Conclusion & { readonly type: "end" } {
  return { type: "end", state, end: { type: "fault", fault: record }, output: NO_BYTES, kind: record.code };
}
