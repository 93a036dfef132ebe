/**
 * Job: a call that was accepted to be run later, and what became of it.
 *
 * Owns the record, the states and which of them are final. It does not store or run anything. Invariants: a
 * record is plain JSON data, so it crosses restarts unchanged; a job that is final never changes again.
 */
import type { FaultRecord } from "./fault.ts";
import type { Invocation } from "./invocation.ts";
import type { Outcome } from "./outcome.ts";
import type { Usage } from "./usage.ts";

/** Every state, in the order in which a job can go through them. */
export const JOB_STATES = ["queued", "running", "completed", "failed", "cancelled", "interrupted"] as const;

/** Where a job is. */
export type JobState = typeof JOB_STATES[number];

/** A state that a job never leaves. */
export type FinalJobState = Exclude<JobState, "queued" | "running">;

/** Whether a job in that state is done with. */
export function isFinal(state: JobState): state is FinalJobState {
  return state !== "queued" && state !== "running";
}

/** What is to be called, without the input, which is kept apart. */
export interface JobCall
  extends Pick<Invocation, "export" | "args" | "resultTypes" | "programArgs" | "environment"> {
  /** Of one run, from its start. */
  readonly deadlineMs: number;
  /** Whether it may run again after an interruption. */
  readonly idempotent: boolean;
}

/** How a job ended: what its run led to, or why there was none or none to speak of. */
export type JobEnd =
  | {
    readonly type: "ran";
    readonly outcome: Outcome;
    readonly contentType?: string;
    readonly usage: Usage;
    /** Time that the run waited for a slot in a cell, in milliseconds. */
    readonly queueMs: number;
  }
  | { readonly type: "fault"; readonly fault: FaultRecord };

/** A job without its input and output. Times are milliseconds since the epoch. */
export interface JobRecord {
  readonly id: string;
  readonly tenant: string;
  /** The one version that was meant when the job was accepted; a later deploy changes nothing. */
  readonly functionId: string;
  readonly state: JobState;
  /** Runs begun. */
  readonly attempt: number;
  readonly call: JobCall;
  /** `traceparent`, `tracestate` and `baggage` of the span that accepted it. */
  readonly trace: Readonly<Record<string, string>>;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly createdUnixMs: number;
  /** Of the last run. */
  readonly startedUnixMs?: number;
  readonly finishedUnixMs?: number;
  /** Present and true: its caller wants it stopped. */
  readonly cancelRequested?: true;
  /** Present once it is final. */
  readonly end?: JobEnd;
}

/** What is shown of a job: everything but what it calls, which can be long, and lists are of many. */
export type JobSummary = Omit<JobRecord, "call">;
