/**
 * LiveJob: what the runner keeps in memory of a job that has not ended.
 *
 * Owns the shape. The rest of the job, its arguments and input, is in the store until it runs. Invariant: there is
 * one for each job in the store that is not final, from the moment that its acceptance is durable.
 */
import type { SpanIds } from "../../telemetry/mod.ts";
import type { JobRecord } from "../model/job.ts";
import type { JobCancellation } from "./job_cancellation.ts";

/** A job that waits or runs. */
export interface LiveJob
  extends Pick<JobRecord, "id" | "tenant" | "functionId" | "inputBytes" | "createdUnixMs"> {
  /** Of the span that accepted it, if that was in this process; else the record's trace is joined. */
  readonly parent: SpanIds | undefined;
  /** See JobRecord. */
  readonly trace: JobRecord["trace"];
  /** Runs begun before the one that comes, or that goes on. */
  attemptsBefore: number;
  readonly cancellation: JobCancellation;
}
