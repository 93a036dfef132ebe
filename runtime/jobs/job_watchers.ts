/**
 * JobWatchers: who wants to know when a job changes.
 *
 * Owns the list, its bounds over all tenants and for each, and its end when the gateway drains. It reads no job.
 * Invariant: a watcher that was stopped hears nothing more and leaves nothing behind.
 */
import { fault } from "../model/fault.ts";
import type { JobRecord } from "../model/job.ts";
import type { Limits } from "../model/limits.ts";
import { limitMessage } from "../model/limits.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";

/** What a watcher is told. Neither function may throw. */
export interface JobWatcher {
  /** The job as it is now. After a final state nothing comes. */
  changed(job: JobRecord): void;
  /** The gateway drains: nothing comes any more. */
  closed(): void;
}

const RETRY_SECONDS = 1;

/** The watchers of all jobs. */
export class JobWatchers {
  readonly #limits: Limits;
  readonly #limitsOf: LimitsOf;
  readonly #byJob = new Map<string, Set<JobWatcher>>();
  readonly #byTenant = new Map<string, number>();
  #count = 0;
  #isClosed = false;

  constructor(limits: Limits, limitsOf: LimitsOf) {
    this.#limits = limits;
    this.#limitsOf = limitsOf;
  }

  /** Watchers now. */
  get count(): number {
    return this.#count;
  }

  /** Whether anyone watches a job, so that it need not be read for nobody. */
  has(id: string): boolean {
    return this.#byJob.has(id);
  }

  /**
   * Watches a job until the returned function is called, which it must be.
   *
   * @throws RuntimeFault `tenant_capacity_exhausted` or `capacity_exhausted`
   */
  watch(id: string, tenant: string, watcher: JobWatcher): () => void {
    this.#enter(tenant);
    const watchers = this.#byJob.get(id) ?? new Set();
    this.#byJob.set(id, watchers);
    watchers.add(watcher);
    return () => {
      if (!watchers.delete(watcher)) return;
      if (watchers.size === 0 && this.#byJob.get(id) === watchers) this.#byJob.delete(id);
      this.#leave(tenant);
    };
  }

  /** Tells a job's watchers what became of it. */
  tell(job: JobRecord): void {
    for (const watcher of [...this.#byJob.get(job.id) ?? []]) watcher.changed(job);
  }

  /** Sends all watchers away, and everyone who comes later. */
  close(): void {
    this.#isClosed = true;
    for (const watchers of [...this.#byJob.values()]) {
      for (const watcher of [...watchers]) watcher.closed();
    }
  }

  #enter(tenant: string): void {
    if (this.#isClosed) {
      throw fault("capacity_exhausted", "The gateway is shutting down", { retryAfterSeconds: RETRY_SECONDS });
    }
    const ofTenant = (this.#byTenant.get(tenant) ?? 0) + 1;
    const { jobWatchersPerTenantMax } = this.#limitsOf(tenant);
    const what = "Too many requests wait for jobs";
    if (ofTenant > jobWatchersPerTenantMax) {
      const message = limitMessage(what, "jobWatchersPerTenantMax", jobWatchersPerTenantMax, ofTenant);
      throw fault("tenant_capacity_exhausted", message, { retryAfterSeconds: RETRY_SECONDS });
    }
    const { jobWatchersMax } = this.#limits;
    if (this.#count >= jobWatchersMax) {
      const message = limitMessage(what, "jobWatchersMax", jobWatchersMax, this.#count + 1);
      throw fault("capacity_exhausted", message, { retryAfterSeconds: RETRY_SECONDS });
    }
    this.#byTenant.set(tenant, ofTenant);
    this.#count++;
  }

  #leave(tenant: string): void {
    this.#count--;
    const left = (this.#byTenant.get(tenant) ?? 1) - 1;
    if (left === 0) this.#byTenant.delete(tenant);
    else this.#byTenant.set(tenant, left);
  }
}
