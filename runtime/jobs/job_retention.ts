/**
 * JobRetention: how many finished jobs are kept, and for how long.
 *
 * Owns the counts and their bounds. Over a bound, the tenant that keeps most gives up its oldest, so that nobody's
 * flood takes the results of others. Invariants: jobs go in small batches, each one group of the store; a removal
 * that fails is tried again later and harms nobody.
 */
import type { Clock } from "../model/clock.ts";
import type { Limits } from "../model/limits.ts";
import type { JobStore, KeptJobs } from "../store/job_store.ts";

/** Jobs removed in one transaction. */
const BATCH_COUNT = 64;
/** How often the age of jobs is looked at, and how soon after a failure a removal is tried again. */
const LOOK_MS = 60_000;

/** What is kept, and of whom. */
export class JobRetention {
  readonly #store: JobStore;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #kept = new Map<string, { count: number; bytes: number }>();
  #count = 0;
  #bytes = 0;
  #trimming: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(store: JobStore, clock: Clock, limits: Limits) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Finished jobs that are kept. */
  get count(): number {
    return this.#count;
  }

  /** Counts what the store has, and begins to look. */
  open(): void {
    for (const kept of this.#store.kept()) this.#add(kept, 1);
    this.#look();
  }

  /** Counts a job that has ended, of which the store said how many bytes it takes. */
  add(tenant: string, bytes: number): void {
    this.#add({ tenant, count: 1, bytes }, 1);
    if (this.#isOver()) this.#trim();
  }

  /** Stops looking; resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = () => {};
    await this.#trimming;
  }

  #look(): void {
    this.#cancelTimer = this.#clock.after(LOOK_MS, () => this.#look());
    this.#trim();
  }

  #trim(): void {
    this.#trimming ??= this.#removeAll().catch(() => {}).finally(() => this.#trimming = undefined);
  }

  async #removeAll(): Promise<void> {
    const finishedUnixMsMax = this.#clock.nowMs() - this.#limits.jobKeptMsMax;
    while (await this.#remove({ finishedUnixMsMax, countMax: BATCH_COUNT }) === BATCH_COUNT);
    while (this.#isOver()) {
      const largest = this.#largest();
      const countMax = Math.min(BATCH_COUNT, this.#overCount(largest));
      if (await this.#remove({ tenant: largest.tenant, countMax }) === 0) return;
    }
  }

  async #remove(removal: Parameters<JobStore["removeFinished"]>[0]): Promise<number> {
    let count = 0;
    for (const removed of await this.#store.removeFinished(removal)) {
      this.#add(removed, -1);
      count += removed.count;
    }
    return count;
  }

  #isOver(): boolean {
    return this.#count > this.#limits.jobsKeptMax || this.#bytes > this.#limits.jobsKeptBytesMax;
  }

  /** How many of a tenant's jobs are too many; for the bytes, as many as its average says, rounded down. */
  #overCount({ count, bytes }: KeptJobs): number {
    const { jobsKeptMax, jobsKeptBytesMax } = this.#limits;
    const forBytes = Math.floor((this.#bytes - jobsKeptBytesMax) * count / Math.max(1, bytes));
    return Math.max(1, this.#count - jobsKeptMax, forBytes);
  }

  /** The tenant with the largest share of the bound that is exceeded. */
  #largest(): KeptJobs {
    const key = this.#count > this.#limits.jobsKeptMax ? "count" : "bytes";
    let largest: KeptJobs = { tenant: "", count: 0, bytes: 0 };
    for (const [tenant, kept] of this.#kept) {
      if (kept[key] > largest[key]) largest = { tenant, ...kept };
    }
    return largest;
  }

  #add({ tenant, count, bytes }: KeptJobs, sign: 1 | -1): void {
    const kept = this.#kept.get(tenant) ?? { count: 0, bytes: 0 };
    kept.count += sign * count;
    kept.bytes += sign * bytes;
    this.#count += sign * count;
    this.#bytes += sign * bytes;
    if (kept.count > 0) this.#kept.set(tenant, kept);
    else this.#kept.delete(tenant);
  }
}
