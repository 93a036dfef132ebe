/**
 * JobQueue: which jobs wait, whose turn it is, and how many may be there.
 *
 * Owns the bounds on waiting jobs, running jobs and the bytes that they hold, over all tenants and for each, and the order: tenants
 * in turn, and of one tenant in the order of acceptance. It stores and runs nothing. Invariants: no bound is ever
 * exceeded, jobs found after a restart aside; a tenant with nothing here leaves no trace.
 */
import { LinkedList } from "../model/linked_list.ts";
import type { Link } from "../model/linked_list.ts";
import { fault } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";
import type { Limits } from "../model/limits.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";
import type { LiveJob } from "./live_job.ts";

/** How soon a job that found no place may be sent again. */
const RETRY_SECONDS = 1;

interface Account {
  readonly tenant: string;
  readonly waiting: LinkedList<LiveJob>;
  /** In the ring while it has jobs waiting. */
  seat: Link<Account> | undefined;
  /** Places taken for jobs whose acceptance is not durable yet. */
  reserved: number;
  running: number;
  heldBytes: number;
  /** Nothing of it is started before: the cells refused its last job. */
  notBeforeMs: number;
}

/** A place for a job that is being accepted. */
export interface Reservation {
  /** Fills the place: the job waits. */
  fill(job: LiveJob): void;
  /** Gives the place up. */
  release(): void;
}

/** The jobs of one gateway that have not ended. */
export class JobQueue {
  readonly #limits: Limits;
  readonly #limitsOf: LimitsOf;
  readonly #accounts = new Map<string, Account>();
  readonly #ring = new LinkedList<Account>();
  readonly #places = new Map<LiveJob, Link<LiveJob>>();
  #reserved = 0;
  #running = 0;
  #heldBytes = 0;

  constructor(limits: Limits, limitsOf: LimitsOf) {
    this.#limits = limits;
    this.#limitsOf = limitsOf;
  }

  /** Jobs that wait. */
  get queued(): number {
    return this.#places.size;
  }

  /** Jobs that run. */
  get running(): number {
    return this.#running;
  }

  /** Tenants of whom anything is known. */
  get tenantCount(): number {
    return this.#accounts.size;
  }

  /**
   * Takes a place for a job.
   *
   * @throws RuntimeFault `tenant_capacity_exhausted` or `capacity_exhausted`
   */
  reserve(tenant: string, heldBytes: number): Reservation {
    this.#check(tenant, heldBytes);
    const account = this.#accountOf(tenant);
    account.reserved++;
    this.#reserved++;
    this.#countHeld(account, heldBytes);
    let isOpen = true;
    const close = (): void => {
      isOpen = false;
      account.reserved--;
      this.#reserved--;
    };
    return {
      fill: (job) => {
        if (!isOpen) return;
        close();
        this.#append(account, job);
      },
      release: () => {
        if (!isOpen) return;
        close();
        this.#countHeld(account, -heldBytes);
        this.#forgetIfIdle(account);
      },
    };
  }

  /** Lets a job wait that was accepted by an earlier process, whatever the bounds say. */
  restore(job: LiveJob): void {
    const account = this.#accountOf(job.tenant);
    this.#countHeld(account, job.heldBytes);
    this.#append(account, job);
  }

  /** The next job to run, counted as running; undefined while none may. */
  take(nowMs: number): LiveJob | undefined {
    if (this.#running >= this.#limits.jobsRunningMax) return undefined;
    for (let seat = this.#ring.first; seat !== undefined; seat = seat.next) {
      const account = seat.value;
      const job = account.waiting.first?.value;
      if (job === undefined || account.notBeforeMs > nowMs) continue;
      if (account.running >= this.#limitsOf(account.tenant).jobsRunningPerTenantMax) continue;
      account.running++;
      this.#running++;
      this.#leave(account, job);
      // It has had its turn.
      if (account.seat !== undefined) this.#ring.moveToEnd(account.seat);
      return job;
    }
    return undefined;
  }

  /** When the first tenant that was put off may be served; undefined if none is, or not before a run has ended. */
  nextTurnMs(nowMs: number): number | undefined {
    if (this.#running >= this.#limits.jobsRunningMax) return undefined;
    let first: number | undefined;
    for (let seat = this.#ring.first; seat !== undefined; seat = seat.next) {
      const { notBeforeMs } = seat.value;
      if (notBeforeMs > nowMs && notBeforeMs < (first ?? Infinity)) first = notBeforeMs;
    }
    return first;
  }

  /** Lets a job that was taken wait again, as the last of its tenant, of which nothing is started before then. */
  putBack(job: LiveJob, notBeforeMs: number): void {
    const account = this.#accountOf(job.tenant);
    account.notBeforeMs = notBeforeMs;
    this.#append(account, job);
    this.endRun(job);
  }

  /** Notes that a job that was taken runs no more. */
  endRun(job: LiveJob): void {
    const account = this.#accountOf(job.tenant);
    account.running--;
    this.#running--;
    this.#forgetIfIdle(account);
  }

  /** Takes a waiting job out; false when it did not wait. */
  remove(job: LiveJob): boolean {
    if (!this.#places.has(job)) return false;
    this.#leave(this.#accountOf(job.tenant), job);
    return true;
  }

  /** Notes that a job has ended: its input counts no more. */
  settle(job: LiveJob): void {
    const account = this.#accountOf(job.tenant);
    this.#countHeld(account, -job.heldBytes);
    this.#forgetIfIdle(account);
  }

  /** At most `countMax` waiting jobs that were accepted before, of those that are next in their tenants' lines. */
  olderThan(createdUnixMs: number, countMax: number): LiveJob[] {
    const found: LiveJob[] = [];
    for (let seat = this.#ring.first; seat !== undefined; seat = seat.next) {
      for (let place = seat.value.waiting.first; place !== undefined; place = place.next) {
        if (place.value.createdUnixMs >= createdUnixMs) break;
        if (found.length === countMax) return found;
        found.push(place.value);
      }
    }
    return found;
  }

  #check(tenant: string, heldBytes: number): void {
    const { jobsQueuedPerTenantMax, jobInputsPerTenantBytesMax } = this.#limitsOf(tenant);
    const { jobsQueuedMax, jobInputsBytesMax } = this.#limits;
    const account = this.#accounts.get(tenant);
    const queued = (account?.waiting.size ?? 0) + (account?.reserved ?? 0) + 1;
    const bytes = (account?.heldBytes ?? 0) + heldBytes;
    const ofAll = this.queued + this.#reserved + 1;
    const bytesOfAll = this.#heldBytes + heldBytes;
    if (queued > jobsQueuedPerTenantMax) {
      refuse(
        "tenant",
        "Too many jobs of the tenant are waiting",
        "jobsQueuedPerTenantMax",
        jobsQueuedPerTenantMax,
        queued,
      );
    }
    if (heldBytes > 0 && bytes > jobInputsPerTenantBytesMax) {
      const what = "Inputs of the tenant's jobs are too large together";
      refuse("tenant", what, "jobInputsPerTenantBytesMax", jobInputsPerTenantBytesMax, bytes);
    }
    if (ofAll > jobsQueuedMax) {
      refuse("all", "Too many jobs are waiting", "jobsQueuedMax", jobsQueuedMax, ofAll);
    }
    if (heldBytes > 0 && bytesOfAll > jobInputsBytesMax) {
      refuse(
        "all",
        "Inputs of jobs are too large together",
        "jobInputsBytesMax",
        jobInputsBytesMax,
        bytesOfAll,
      );
    }
  }

  #append(account: Account, job: LiveJob): void {
    this.#places.set(job, account.waiting.push(job));
    account.seat ??= this.#ring.push(account);
  }

  #leave(account: Account, job: LiveJob): void {
    const place = this.#places.get(job);
    if (place === undefined) return;
    account.waiting.remove(place);
    this.#places.delete(job);
    if (account.waiting.size > 0 || account.seat === undefined) return;
    this.#ring.remove(account.seat);
    account.seat = undefined;
  }

  #countHeld(account: Account, bytes: number): void {
    account.heldBytes += bytes;
    this.#heldBytes += bytes;
  }

  #accountOf(tenant: string): Account {
    let account = this.#accounts.get(tenant);
    if (account === undefined) {
      account = {
        tenant,
        waiting: new LinkedList(),
        seat: undefined,
        reserved: 0,
        running: 0,
        heldBytes: 0,
        notBeforeMs: 0,
      };
      this.#accounts.set(tenant, account);
    }
    return account;
  }

  #forgetIfIdle(account: Account): void {
    const { waiting, reserved, running, heldBytes, tenant } = account;
    if (waiting.size + reserved + running + heldBytes === 0) this.#accounts.delete(tenant);
  }
}

function refuse(whose: "tenant" | "all", what: string, limit: string, max: number, actual: number): never {
  throw fault(
    whose === "tenant" ? "tenant_capacity_exhausted" : "capacity_exhausted",
    limitMessage(what, limit, max, actual),
    { retryAfterSeconds: RETRY_SECONDS },
  );
}
