/**
 * Jobs: calls that are accepted now and run later, as the rest of the runtime sees them.
 *
 * Owns acceptance, and who may see which job. Running them is job_runner.ts's. It knows no HTTP. Invariants: a job
 * that was accepted is durable; another tenant's job is as one that is not there.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import type { Cancellation } from "../model/invocation.ts";
import { isFinal } from "../model/job.ts";
import type { JobCall, JobRecord } from "../model/job.ts";
import type { Limits } from "../model/limits.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";
import { digestOf } from "../store/blob_store.ts";
import type { JobFilter, JobScan, JobStore, SubmitResult } from "../store/job_store.ts";
import type { Idempotency, ListPosition } from "../store/record_store.ts";
import type { CallRunner, JobCallParts } from "./job_call.ts";
import { JobCancellation } from "./job_cancellation.ts";
import { JobEndings } from "./job_endings.ts";
import { JobQueue } from "./job_queue.ts";
import { JobRetention } from "./job_retention.ts";
import { heldBytesOf } from "./live_job.ts";
import { JobRunner } from "./job_runner.ts";
import type { JobRunnerParts } from "./job_runner.ts";
import { JobTelemetry } from "./job_telemetry.ts";
import { JobWatchers } from "./job_watchers.ts";
import type { JobWatcher } from "./job_watchers.ts";
import { recoverJobs } from "./recovery.ts";

/** What jobs are made of. */
export interface JobsOptions extends Pick<JobRunnerParts, "enter" | "isBusy"> {
  readonly store: JobStore;
  readonly executor: CallRunner;
  readonly findFunction: JobCallParts["findFunction"];
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly limitsOf: LimitsOf;
  /** A new id: a lower-case UUID that was never given out. */
  readonly newId: () => string;
}

/** A call that is to be run later. */
export interface JobRequest {
  readonly tenant: string;
  readonly functionId: string;
  readonly call: JobCall;
  readonly input: Uint8Array;
  readonly idempotency?: {
    readonly key: string;
    /** The function as the caller named it. */
    readonly functionRef: string;
  };
}

/** The job that a request leads to. */
export interface AcceptedJob {
  readonly id: string;
  /** An earlier request with the same key was accepted, and nothing was now. */
  readonly replayed: boolean;
}

/** Longest id that a message repeats: that of a job has 36 characters. */
const SHOWN_ID_LENGTH_MAX = 64;

/** The jobs of a gateway. Disposing them leaves what waits to the next process. */
export class Jobs implements AsyncDisposable {
  readonly #options: JobsOptions;
  readonly #queue: JobQueue;
  readonly #watchers: JobWatchers;
  readonly #retention: JobRetention;
  readonly #telemetry: JobTelemetry;
  readonly #runner: JobRunner;

  constructor(options: JobsOptions) {
    const { store, clock, limits, limitsOf } = options;
    this.#options = options;
    this.#queue = new JobQueue(limits, limitsOf);
    this.#watchers = new JobWatchers(limits, limitsOf);
    this.#retention = new JobRetention(store, clock, limits);
    const telemetry = this.#telemetry = new JobTelemetry(options.telemetry);
    const endings = new JobEndings({
      store,
      clock,
      telemetry,
      watchers: this.#watchers,
      retention: this.#retention,
    });
    this.#runner = new JobRunner({ ...options, telemetry, endings, queue: this.#queue });
  }

  /** Takes over what an earlier process left, and begins. Throws RuntimeFault `internal` when the storage fails. */
  async open(): Promise<void> {
    const { store, clock, limits } = this.#options;
    this.#retention.open();
    await recoverJobs({ store, clock, limits, runner: this.#runner, telemetry: this.#telemetry });
    this.#runner.pump();
  }

  /**
   * Accepts a job under the active span: resolves when it is durable.
   *
   * @throws RuntimeFault `tenant_capacity_exhausted`, `capacity_exhausted`, `idempotency_conflict`, `internal` (the
   * storage failed)
   */
  async submit(request: JobRequest): Promise<AcceptedJob> {
    const idempotency = await toIdempotency(request);
    const known = this.#findReplay(request.tenant, idempotency);
    if (known !== undefined) return known;
    const { tenant, functionId, call, input } = request;
    const trace = this.#telemetry.activeTrace();
    const heldBytes = heldBytesOf({ call, trace }, input.length);
    const reservation = this.#queue.reserve(tenant, heldBytes);
    try {
      const id = this.#options.newId();
      const createdUnixMs = Math.floor(this.#options.clock.nowMs());
      const job = { id, tenant, functionId, createdUnixMs, trace };
      const result = await this.#options.store.submit({
        ...job,
        call,
        input,
        ...(idempotency === undefined ? {} : { idempotency }),
      });
      if (result.type !== "inserted") return replayed(result);
      const parent = this.#telemetry.tracer.activeIds();
      const cancellation = new JobCancellation();
      const live = { ...job, parent, cancellation, inputBytes: input.length, heldBytes, attemptsBefore: 0 };
      this.#runner.accept(live, reservation);
      return { id, replayed: false };
    } finally {
      reservation.release();
    }
  }

  /**
   * A tenant's job.
   *
   * @throws RuntimeFault `not_found`, `internal` (the storage failed)
   */
  find(id: string, tenant: string): JobRecord {
    const record = this.#options.store.find(id);
    if (record === undefined || record.tenant !== tenant) {
      throw fault("not_found", `No job ${id.slice(0, SHOWN_ID_LENGTH_MAX)}`);
    }
    return record;
  }

  /** A part of a tenant's jobs, the newest first; see JobStore.list. */
  list(tenant: string, filter: JobFilter, countMax: number, after?: ListPosition): JobScan {
    return this.#options.store.list(tenant, filter, countMax, after);
  }

  /** What a job that completed had written. */
  output(id: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.#options.store.output(id);
  }

  /**
   * Has a job stop, and waits for its end, but not for longer than `waitMs`. One that has ended stays as it is.
   *
   * @throws RuntimeFault as `find` and `wait`
   */
  async cancel(id: string, tenant: string, waitMs: number): Promise<JobRecord> {
    const record = this.find(id, tenant);
    const job = this.#runner.find(id);
    if (isFinal(record.state) || job === undefined) return record;
    await this.#runner.cancel(job);
    return await this.wait(id, tenant, waitMs);
  }

  /**
   * A job once it has ended, or as it is after `waitMs`, or when the gateway drains.
   *
   * @throws RuntimeFault as `find`; `tenant_capacity_exhausted`, `capacity_exhausted` when too many wait
   */
  async wait(id: string, tenant: string, waitMs: number, cancellation?: Cancellation): Promise<JobRecord> {
    const record = this.find(id, tenant);
    if (isFinal(record.state) || waitMs <= 0) return record;
    const done = Promise.withResolvers<JobRecord | undefined>();
    const stop = this.watch(id, tenant, {
      changed: (job) => isFinal(job.state) && done.resolve(job),
      closed: () => done.resolve(undefined),
    });
    const cancelTimer = this.#options.clock.after(waitMs, () => done.resolve(undefined));
    // Nobody reads the answer of a client that has left; its place is free.
    cancellation?.onCancel(() => done.resolve(record));
    try {
      return await done.promise ?? this.#options.store.find(id) ?? record;
    } finally {
      cancelTimer();
      stop();
    }
  }

  /**
   * Watches a job that the caller has found, until the returned function is called.
   *
   * @throws RuntimeFault `tenant_capacity_exhausted`, `capacity_exhausted` when too many wait
   */
  watch(id: string, tenant: string, watcher: JobWatcher): () => void {
    return this.#watchers.watch(id, tenant, watcher);
  }

  /** Answers everyone who waits, because the gateway drains. */
  endWatches(): void {
    this.#watchers.close();
  }

  /** Waits for what is under way. Nothing begins any more; the store stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watchers.close();
    await this.#runner.close();
    await this.#retention.close();
  }

  /** The job of a key that is known, however full the queue is. */
  #findReplay(tenant: string, idempotency: Idempotency | undefined): AcceptedJob | undefined {
    if (idempotency === undefined) return undefined;
    const known = this.#options.store.findIdempotency(tenant, idempotency.key);
    if (known === undefined) return undefined;
    return replayed(
      known.requestDigest === idempotency.requestDigest
        ? { type: "replayed", id: known.id }
        : { type: "key_conflict" },
    );
  }
}

function replayed(result: Exclude<SubmitResult, { type: "inserted" }>): AcceptedJob {
  if (result.type === "replayed") return { id: result.id, replayed: true };
  throw fault("idempotency_conflict", "Idempotency-Key was used before with another request");
}

/**
 * The function, the call and the input make the request what it is. The function is that of the caller, who names the
 * same one after a new version of it was deployed; and what it returns is no part of a request.
 */
async function toIdempotency({ idempotency, call, input }: JobRequest): Promise<Idempotency | undefined> {
  if (idempotency === undefined) return undefined;
  const { key, functionRef } = idempotency;
  const { resultTypes: _, ...asked } = call;
  const text = JSON.stringify([functionRef, asked, await digestOf(input)]);
  return { key, requestDigest: await digestOf(new TextEncoder().encode(text)) };
}
