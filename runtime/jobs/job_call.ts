/**
 * JobCall: one run of a job, from its record to what its end means.
 *
 * Owns the making of the Invocation. Its times, its span and its place in line are the runner's. Invariant: it
 * never throws: whatever happens is a conclusion.
 */
import type { Clock } from "../model/clock.ts";
import { fault, RuntimeFault } from "../model/fault.ts";
import type { FunctionRecord } from "../model/function_record.ts";
import { invariant } from "../model/invariant.ts";
import type { Execution, Invocation } from "../model/invocation.ts";
import type { JobRecord } from "../model/job.ts";
import type { Limits } from "../model/limits.ts";
import type { JobStore } from "../store/job_store.ts";
import { cancelled, concludeError, concludeExecution } from "./conclusion.ts";
import type { Circumstances, Conclusion } from "./conclusion.ts";
import type { JobTelemetry } from "./job_telemetry.ts";
import type { LiveJob } from "./live_job.ts";

/** What runs a call; the Executor in the real program. */
export interface CallRunner {
  run(invocation: Invocation): Promise<Execution>;
}

/** What a run works with. */
export interface JobCallParts {
  readonly store: JobStore;
  readonly executor: CallRunner;
  readonly telemetry: JobTelemetry;
  /** The function of an id. Throws RuntimeFault `not_found`. */
  readonly findFunction: (id: string, tenant: string) => FunctionRecord;
  readonly limits: Limits;
  readonly clock: Clock;
}

const NO_BYTES = new Uint8Array(0);

/** Runs a job as its attempt number `attempt`, under the active span. */
export async function callJob(
  parts: JobCallParts,
  job: LiveJob,
  attempt: number,
  isDraining: () => boolean,
): Promise<Conclusion> {
  let isIdempotent = false;
  const circumstances = (): Circumstances => ({
    waitedMs: parts.clock.nowMs() - job.createdUnixMs,
    limits: parts.limits,
    isCancelled: job.cancellation.isCancelled,
    isDraining: isDraining(),
    mayRunAgain: isIdempotent && attempt < parts.limits.jobAttemptsMax,
  });
  try {
    if (job.cancellation.isCancelled) return cancelled();
    const record = parts.store.find(job.id);
    invariant(record !== undefined, "A job that runs has no record");
    isIdempotent = record.call.idempotent;
    const execution = await parts.executor.run(await invocationOf(parts, job, record));
    return concludeExecution(execution, circumstances());
  } catch (error) {
    const conclusion = concludeError(error, circumstances());
    if (!(error instanceof RuntimeFault) && conclusion.type === "end" && conclusion.kind === "internal") {
      parts.telemetry.crashed(job, error);
    }
    return conclusion;
  } finally {
    job.cancellation.endRun();
  }
}

async function invocationOf(
  { store, findFunction, limits }: JobCallParts,
  job: LiveJob,
  record: JobRecord,
): Promise<Invocation> {
  const { deadlineMs, ...call } = record.call;
  const input = job.inputBytes === 0 ? NO_BYTES : await store.input(job.id);
  if (input.length !== job.inputBytes) throw fault("internal", "Input of the job is damaged");
  return {
    ...call,
    tenant: job.tenant,
    function: findFunction(job.functionId, job.tenant),
    input,
    deadlineMs,
    deadlineAtMs: job.createdUnixMs + limits.jobQueueMsMax,
    deadlineFrom: "slot",
    cancellation: job.cancellation,
  };
}
