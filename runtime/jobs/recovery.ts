/**
 * Recovery: what becomes of the jobs that an earlier process left.
 *
 * Owns the decision for each. Invariants: what waited waits on; what ran is run again only if its caller allowed
 * that and it has runs left, else it is interrupted; a job whose caller wanted it stopped is cancelled. Each has a
 * span of the run that nobody could end, in its own trace.
 */
import type { Clock } from "../model/clock.ts";
import type { JobRecord } from "../model/job.ts";
import type { Limits } from "../model/limits.ts";
import type { JobStore } from "../store/job_store.ts";
import { cancelled, interrupted } from "./conclusion.ts";
import { JobCancellation } from "./job_cancellation.ts";
import type { JobRunner } from "./job_runner.ts";
import type { JobTelemetry } from "./job_telemetry.ts";
import { heldBytesOf } from "./live_job.ts";
import type { LiveJob } from "./live_job.ts";

/** What a recovery works with. */
export interface RecoveryParts {
  readonly store: JobStore;
  readonly runner: JobRunner;
  readonly telemetry: JobTelemetry;
  readonly limits: Limits;
  readonly clock: Clock;
}

/** Takes over what is left; resolves when every decision is durable. Nothing is begun yet. */
export async function recoverJobs(parts: RecoveryParts): Promise<void> {
  const decisions: Promise<void>[] = [];
  for (const record of parts.store.unfinished()) decisions.push(decide(record, parts));
  await Promise.all(decisions);
}

async function decide(
  record: JobRecord,
  { store, runner, telemetry, limits, clock }: RecoveryParts,
): Promise<void> {
  const job: LiveJob = {
    id: record.id,
    tenant: record.tenant,
    functionId: record.functionId,
    inputBytes: record.inputBytes,
    heldBytes: heldBytesOf(record, record.inputBytes),
    createdUnixMs: record.createdUnixMs,
    parent: undefined,
    trace: record.trace,
    attemptsBefore: record.attempt,
    cancellation: new JobCancellation(),
  };
  if (record.state === "queued") {
    runner.restore(job);
    if (record.cancelRequested === true) await runner.cancel(job);
    return;
  }
  const isCancelled = record.cancelRequested === true;
  const isRerun = !isCancelled && record.call.idempotent && record.attempt < limits.jobAttemptsMax;
  const ids = telemetry.recordInterruptedRun(job, record, clock.nowMs(), isRerun);
  const startedMs = record.startedUnixMs ?? record.createdUnixMs;
  if (isCancelled) return await runner.endRestored(job, cancelled(), ids, startedMs);
  if (!isRerun) return await runner.endRestored(job, interrupted(), ids, startedMs);
  // In line before it is durable, so that its place is that of its acceptance.
  runner.restore(job);
  telemetry.rerun(job, ids);
  await store.requeue(job.id, record.attempt);
}
