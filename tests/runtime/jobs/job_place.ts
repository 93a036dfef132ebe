/**
 * Jobs with a real store, a clock that is moved by hand, and runs that the test ends as it likes.
 *
 * Owns the switch that stands for `kill -9`: after it nothing of the old process reaches the store any more.
 */
import assert from "node:assert/strict";
import { type JobRequest, Jobs } from "../../../runtime/jobs/jobs.ts";
import { fault } from "../../../runtime/model/fault.ts";
import type { Execution, Invocation } from "../../../runtime/model/invocation.ts";
import type { JobRecord } from "../../../runtime/model/job.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../runtime/model/limits.ts";
import { makeLimitsOf, type TenantLimits } from "../../../runtime/model/tenant_limits.ts";
import type { JobStore } from "../../../runtime/store/job_store.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { ManualClock } from "../../support/clock.ts";
import { TestTelemetry, type TestTelemetryOptions } from "../../support/telemetry.ts";
import { aFunction } from "../../contract/store_contract.ts";
import { DataFolder } from "../store/embedded/data_folder.ts";

/** A run that was begun and has not ended. */
export interface ScriptedRun {
  readonly invocation: Invocation;
  /** Ends it as a cell would. */
  end(changes?: Partial<Execution>): void;
  fail(error: unknown): void;
}

const SYNCHRONOUS: ReadonlySet<string | symbol> = new Set(["find", "findIdempotency", "list", "kept"]);

const RETURNED: Execution = {
  outcome: { type: "returned", values: [] },
  output: new Uint8Array(),
  contentType: undefined,
  usage: { fuel: 0, yields: 0, cpuUs: 0, memoryBytes: 0 },
  queueMs: 0,
  cold: false,
};

/** What a test wants to be different. */
export interface JobPlaceOptions {
  readonly limits?: Partial<Limits>;
  readonly tenants?: ReadonlyMap<string, TenantLimits>;
  readonly telemetry?: TestTelemetryOptions;
}

/** One process after another over one store. */
export class JobPlace implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly telemetry: TestTelemetry;
  readonly limits: Limits;
  readonly store: Store;
  /** Runs that go on, the oldest first. */
  readonly runs: ScriptedRun[] = [];
  /** Ids of jobs in the order in which they were begun, over all processes. */
  readonly begun: string[] = [];
  isBusy = false;
  isDraining = false;
  /** Functions that were deleted. */
  readonly deleted = new Set<string>();
  /** Makes the store refuse. */
  storeError: Error | undefined;
  jobs: Jobs;
  readonly #options: JobPlaceOptions;
  readonly #folder: DataFolder;
  #life = { isOver: false };
  #writing = 0;

  private constructor(folder: DataFolder, store: Store, options: JobPlaceOptions) {
    this.#folder = folder;
    this.#options = options;
    this.telemetry = new TestTelemetry(options.telemetry);
    this.store = store;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.jobs = this.#makeJobs();
  }

  static async make(options: JobPlaceOptions = {}): Promise<JobPlace> {
    const folder = await DataFolder.make();
    const place = new JobPlace(folder, await folder.open(), options);
    await place.jobs.open();
    return place;
  }

  /** Submits a job of a tenant; answers its id. */
  async submit(
    tenant = "7",
    changes: Partial<JobRequest> & { readonly idempotent?: boolean } = {},
  ): Promise<string> {
    const { idempotent = false, ...request } = changes;
    const { id } = await this.jobs.submit({
      tenant,
      functionId: "f",
      call: {
        export: "run",
        args: [],
        resultTypes: [],
        programArgs: [],
        environment: [],
        deadlineMs: 1000,
        idempotent,
      },
      input: new Uint8Array(),
      ...request,
    });
    return id;
  }

  /** The job as the store has it. */
  record(id: string): JobRecord {
    const record = this.store.jobs.find(id);
    assert.ok(record !== undefined);
    return record;
  }

  /** The states of jobs, as the store has them. */
  states(ids: readonly string[]): string[] {
    return ids.map((id) => this.record(id).state);
  }

  /** Resolves when nothing is under way but runs and timers. */
  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.#writing === 0 ? quiet + 1 : 0) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** Ends the process as `kill -9` does, and starts another. */
  async crash(): Promise<void> {
    this.#life.isOver = true;
    await this.#startAgain();
  }

  /** Ends the process as SIGTERM does once the drain's time is over, and starts another. */
  async drain(): Promise<void> {
    this.isDraining = true;
    this.jobs.endWatches();
    for (const run of [...this.runs]) run.end({ outcome: { type: "cancelled", by: "drain" } });
    await this.jobs[Symbol.asyncDispose]();
    this.#life.isOver = true;
    this.isDraining = false;
    await this.#startAgain();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDraining = true;
    this.storeError = undefined;
    for (const run of [...this.runs]) run.end();
    await this.jobs[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
    await this.telemetry[Symbol.asyncDispose]();
  }

  async #startAgain(): Promise<void> {
    this.runs.length = 0;
    // What had reached the store is there; what had not, never comes.
    await this.settled();
    this.#life = { isOver: false };
    this.jobs = this.#makeJobs();
    await this.jobs.open();
    await this.settled();
  }

  #makeJobs(): Jobs {
    const life = this.#life;
    return new Jobs({
      store: this.#storeOf(life),
      executor: { run: (invocation) => this.#run(invocation, life) },
      findFunction: (id, tenant) => {
        if (this.deleted.has(id)) throw fault("not_found", `No function ${id}`);
        return { ...aFunction({ id, tenant }), version: 1 };
      },
      telemetry: this.telemetry.telemetry,
      clock: this.clock,
      limits: this.limits,
      limitsOf: makeLimitsOf(this.limits, this.#options.tenants ?? new Map()),
      newId: () => crypto.randomUUID(),
      enter: () => {
        if (this.isDraining) throw fault("capacity_exhausted", "The gateway is shutting down");
        return () => {};
      },
      isBusy: () => this.isBusy,
    });
  }

  #run(invocation: Invocation, life: { readonly isOver: boolean }): Promise<Execution> {
    // The cells of a gateway that drains take no call.
    if (this.isDraining) return Promise.reject(fault("capacity_exhausted", "The gateway is shutting down"));
    const { promise, resolve, reject } = Promise.withResolvers<Execution>();
    const leave = (): void => {
      const index = this.runs.indexOf(run);
      if (index >= 0) this.runs.splice(index, 1);
    };
    const run: ScriptedRun = {
      invocation,
      end: (changes = {}) => (leave(), resolve({ ...RETURNED, ...changes })),
      fail: (error) => (leave(), reject(error)),
    };
    if (!life.isOver) this.runs.push(run);
    // A guest that is told to stop does so.
    invocation.cancellation?.onCancel(() => run.end({ outcome: { type: "cancelled", by: "client" } }));
    return promise;
  }

  /** The store as one process sees it: what that does after its end never happens. */
  #storeOf(life: { readonly isOver: boolean }): JobStore {
    const never = new Promise<never>(() => {});
    const { jobs } = this.store;
    return new Proxy(jobs, {
      get: (_target, key): unknown => {
        const member: unknown = Reflect.get(jobs, key);
        if (typeof member !== "function") return member;
        return (...args: unknown[]): unknown => {
          if (life.isOver) return SYNCHRONOUS.has(key) ? undefined : never;
          if (this.storeError !== undefined && !SYNCHRONOUS.has(key)) return Promise.reject(this.storeError);
          if (key === "start") this.begun.push(String(args[0]));
          const result: unknown = Reflect.apply(member, jobs, args);
          if (!(result instanceof Promise)) return result;
          this.#writing++;
          // A process that was killed does not hear of what it had written.
          return result.finally(() => this.#writing--).then((value) => life.isOver ? never : value);
        };
      },
    });
  }
}
