/**
 * JobStore: jobs from their acceptance to their removal, durable at every step.
 *
 * Owns the interface. Writes are promises that settle when the change is on the disk; an implementation gathers
 * those that come close together, so that a job does not cost a sync of its own. Reads of records are synchronous
 * and local. It decides no policy: what runs when, and what is kept how long, is runtime/jobs's. Invariant: a job
 * changes state only along queued → running → (queued | a final state) or queued → a final state, once each.
 */
import type { FinalJobState, JobEnd, JobRecord, JobState, JobSummary } from "../model/job.ts";
import type { Idempotency, ListPosition } from "./record_store.ts";

/** A job about to be stored. */
export interface NewJob
  extends Pick<JobRecord, "id" | "tenant" | "functionId" | "call" | "trace" | "createdUnixMs"> {
  /** Left unchanged by the caller until the promise settles. */
  readonly input: Uint8Array;
  readonly idempotency?: Idempotency;
}

/** What became of a submission. Only `inserted` changed anything. */
export type SubmitResult =
  | { readonly type: "inserted" }
  | { readonly type: "replayed"; readonly id: string }
  | { readonly type: "key_conflict" };

/** How a job ends. */
export interface JobFinish {
  readonly state: FinalJobState;
  readonly end: JobEnd;
  readonly output: Uint8Array;
  readonly finishedUnixMs: number;
}

/** Which jobs of a tenant are asked for. */
export interface JobFilter {
  readonly state?: JobState;
  readonly functionId?: string;
}

/** A part of a tenant's list. */
export interface JobScan {
  readonly jobs: readonly JobSummary[];
  /** Where to go on; absent at the end. Fewer jobs than asked for do not mean the end. */
  readonly next?: ListPosition;
}

/** How much finished jobs of a tenant take. */
export interface KeptJobs {
  readonly tenant: string;
  readonly count: number;
  /** Roughly: records and outputs. */
  readonly bytes: number;
}

/** Which finished jobs are to be removed; the oldest first. */
export interface JobRemoval {
  readonly tenant?: string;
  /** Only those that finished before. */
  readonly finishedUnixMsMax?: number;
  readonly countMax: number;
}

/** Jobs. Every method throws RuntimeFault `internal` when the storage fails; tests/contract/job_store_contract.ts
 * is the full description of the behaviour. */
export interface JobStore {
  /** Stores a job as queued, unless its key is known. */
  submit(job: NewJob): Promise<SubmitResult>;
  /** queued → running, as the given attempt; false when it was not queued. */
  start(id: string, attempt: number, startedUnixMs: number): Promise<boolean>;
  /** running → queued, with that many attempts behind it; false when it was not running. */
  requeue(id: string, attempt: number): Promise<boolean>;
  /** Notes that a running job is to be stopped; false when it was not running. */
  requestCancel(id: string): Promise<boolean>;
  /**
   * To a final state; the input is given up. Answers the bytes that the job takes from now on, as `kept` counts
   * them; undefined when it was final already.
   */
  finish(id: string, finish: JobFinish): Promise<number | undefined>;
  /** The job with this id, of any tenant. */
  find(id: string): JobRecord | undefined;
  /** What a tenant's idempotency key stands for, as long as its job is there. */
  findIdempotency(
    tenant: string,
    key: string,
  ): { readonly requestDigest: string; readonly id: string } | undefined;
  /** Jobs of a tenant, the newest first, beginning after `after`. Looks at a bounded number of records. */
  list(tenant: string, filter: JobFilter, countMax: number, after?: ListPosition): JobScan;
  /** All that are not final, in the order of their acceptance, one at a time; nothing may be changed meanwhile. */
  unfinished(): Iterable<JobRecord>;
  /** The input of a job that is not final. The array is the caller's. */
  input(id: string): Promise<Uint8Array<ArrayBuffer>>;
  /** The output of a final job; empty when it has none or is gone. The array is the caller's. */
  output(id: string): Promise<Uint8Array<ArrayBuffer>>;
  /** What is kept of finished jobs, by tenant. */
  kept(): readonly KeptJobs[];
  /** Removes finished jobs; answers what went, by tenant. */
  removeFinished(removal: JobRemoval): Promise<readonly KeptJobs[]>;
}
