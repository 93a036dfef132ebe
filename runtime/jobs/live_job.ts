/**
 * LiveJob: what the runner keeps in memory of a job that has not ended.
 *
 * Owns the shape, and how many bytes count for it. The rest of the job, its arguments and input, is in the store until it runs. Invariant: there is
 * one for each job in the store that is not final, from the moment that its acceptance is durable.
 */
import type { SpanIds } from "../../telemetry/mod.ts";
import type { JobRecord } from "../model/job.ts";
import type { JobCancellation } from "./job_cancellation.ts";

/** What a call and its trace context may take besides an input. What is over counts as input: argv and env do. */
const CALL_BYTES_FREE = 4096;

/** What a job takes until it has ended, over what every job takes, in bytes. */
export function heldBytesOf({ call, trace }: Pick<JobRecord, "call" | "trace">, inputBytes: number): number {
  const { length } = new TextEncoder().encode(JSON.stringify([call, trace]));
  return inputBytes + Math.max(0, length - CALL_BYTES_FREE);
}

/** A job that waits or runs. */
export interface LiveJob
  extends Pick<JobRecord, "id" | "tenant" | "functionId" | "inputBytes" | "createdUnixMs"> {
  /** Of the span that accepted it, if that was in this process; else the record's trace is joined. */
  readonly parent: SpanIds | undefined;
  /** See JobRecord. */
  readonly trace: JobRecord["trace"];
  /** What it takes of the bounds on inputs; see `heldBytesOf`. */
  readonly heldBytes: number;
  /** Runs begun before the one that comes, or that goes on. */
  attemptsBefore: number;
  readonly cancellation: JobCancellation;
}
