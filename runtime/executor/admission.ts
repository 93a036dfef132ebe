/**
 * Admission: the bounded line in front of the cells.
 *
 * Owns who may wait, and every way of leaving the line: served, deadline passed, client gone, displaced by a
 * tenant with fewer calls in line, line closed. The order is that of fair_line.ts. It does not know cells.
 * Invariants: a waiter leaves exactly once and takes its timer with it; never more than `queueDepthMax` wait;
 * nobody is served whose deadline has passed.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import type { Cancellation } from "../model/invocation.ts";
import { limitMessage } from "../model/limits.ts";
import { FairLine } from "./fair_line.ts";
import type { Account, Place } from "./fair_line.ts";
import { GrantRate } from "./grant_rate.ts";

/** How soon a tenant that has filled its own share of the line may try again. */
const TENANT_RETRY_SECONDS = 1;

/** The client left while its call was waiting. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";

  constructor() {
    // The error status of the spans that it ends.
    super("client_gone");
  }
}

/** Who waits and until when. */
export interface Wait {
  readonly tenant: string;
  readonly deadlineMs: number;
  readonly deadlineAtMs: number;
  readonly cancellation?: Cancellation | undefined;
  /** Present and true: the call must have a cell to itself (a suspected module). */
  readonly alone?: boolean;
  /** Most calls of this tenant that run at a time; further ones wait. */
  readonly concurrentCallsMax: number;
  /** Most calls of this tenant that wait at a time; further ones are refused. */
  readonly queuedCallsMax: number;
}

/** Why a call was refused or sent away: the line or the tenant's share was full, or another took its place. */
export type ShedKind = "capacity" | "tenant" | "displaced";

/** What an admission works with. */
export interface AdmissionOptions {
  readonly clock: Clock;
  readonly queueDepthMax: number;
  readonly shed: (kind: ShedKind, tenant: string) => void;
  /** A call was served after it had waited that long. */
  readonly waited: (ms: number) => void;
  /** A call left unserved. */
  readonly left: (wait: Wait) => void;
}

/** A call in line, as whoever serves it sees it. */
export interface Waiter<Grant> {
  readonly wait: Wait;
  /** Ends the wait with what `make` makes for the tenant's account, which has one slot more in use. */
  serve(make: (account: Account) => Grant): void;
}

/** A waiter whose turn it is. */
export type Turn<Grant> = Place<Waiter<Grant>>;

interface OwnWaiter<Grant> extends Waiter<Grant> {
  readonly refuse: (error: Error) => void;
}

/** A line of waiters, each for a Grant. */
export class Admission<Grant> {
  readonly #options: AdmissionOptions;
  readonly #line = new FairLine<OwnWaiter<Grant>>();
  readonly #rate = new GrantRate();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get depth(): number {
    return this.#line.depth;
  }

  get tenantsWaiting(): number {
    return this.#line.tenantsWaiting;
  }

  /** Tenants with anything in use or waiting. */
  get tenantCount(): number {
    return this.#line.tenantCount;
  }

  /** How many calls of each tenant wait. */
  waiting(): Iterable<readonly [tenant: string, count: number]> {
    return this.#line.waiting();
  }

  /** Whether a call that arrives now may be served at once, if `freeSlots` are free. */
  mayPass(wait: Wait, freeSlots: number): boolean {
    return !this.hasPassed(wait) && this.#line.mayPass(wait, freeSlots);
  }

  /** Notes a slot lent to a call that did not wait. */
  take(tenant: string): Account {
    this.#rate.note(this.#options.clock.nowMs());
    return this.#line.take(tenant);
  }

  /** Notes that a slot came back. */
  giveBack(account: Account): void {
    this.#line.giveBack(account);
  }

  /**
   * Waits for a grant.
   *
   * @throws RuntimeFault at once `tenant_capacity_exhausted` when the tenant has its share of the line,
   * `capacity_exhausted` when the line is full; later `invoke_timeout` when the deadline passes first,
   * `capacity_exhausted` when displaced; ClientGone when nobody waits for the answer any more
   */
  wait(wait: Wait): Promise<Grant> {
    if (this.hasPassed(wait)) return Promise.reject(waitedTooLong(wait.deadlineMs));
    const ofTenant = this.#line.waitingOf(wait.tenant);
    if (ofTenant >= wait.queuedCallsMax) {
      this.#options.shed("tenant", wait.tenant);
      return Promise.reject(tenantLineFull(wait.queuedCallsMax, ofTenant + 1));
    }
    if (this.depth < this.#options.queueDepthMax) return this.#enter(wait);
    const refusal = this.#lineFull();
    const newest = this.#line.newestOfLongest();
    if (newest === undefined || newest.account.waiting <= ofTenant) {
      this.#options.shed("capacity", wait.tenant);
      return Promise.reject(refusal);
    }
    // In this order, so that whoever is told of the one that left finds the newcomer in line.
    const waiting = this.#enter(wait);
    newest.value.refuse(refusal);
    this.#options.shed("displaced", newest.account.tenant);
    return waiting;
  }

  /** Whether the deadline of a call has passed. */
  hasPassed(wait: Wait): boolean {
    return wait.deadlineAtMs <= this.#options.clock.nowMs();
  }

  /** The next call to be served, if `freeSlots` are free. */
  next(freeSlots: number): Turn<Grant> | undefined {
    return this.#timely(() => this.#line.next(freeSlots));
  }

  /** The next call that must have a cell to itself. */
  nextAlone(): Turn<Grant> | undefined {
    return this.#timely(() => this.#line.nextAlone());
  }

  /** A tenant's first call that must have a cell to itself. */
  firstAloneOf(account: Account): Turn<Grant> | undefined {
    return this.#timely(() => this.#line.firstAloneOf(account));
  }

  /** The first of all tenants' oldest calls, in the order of their turns, that `accept` takes. */
  nextOldest(accept: (turn: Turn<Grant>) => boolean): Turn<Grant> | undefined {
    return this.#timely(() => this.#line.nextOldest(accept));
  }

  /** How many calls of a tenant wait. */
  waitingOf(tenant: string): number {
    return this.#line.waitingOf(tenant);
  }

  /** Refuses everyone in line. */
  refuseAll(makeError: () => Error): void {
    for (let place = this.#line.anyone(); place !== undefined; place = this.#line.anyone()) {
      place.value.refuse(makeError());
    }
  }

  /** What `find` finds when all that it finds overdue are refused. */
  #timely(find: () => Place<OwnWaiter<Grant>> | undefined): Turn<Grant> | undefined {
    for (;;) {
      const place = find();
      if (place === undefined || !this.hasPassed(place.value.wait)) return place;
      place.value.refuse(waitedTooLong(place.value.wait.deadlineMs));
    }
  }

  #enter(wait: Wait): Promise<Grant> {
    const { clock, waited, left } = this.#options;
    const arrivedAtMs = clock.nowMs();
    const { promise, resolve, reject } = Promise.withResolvers<Grant>();
    const waiter: OwnWaiter<Grant> = {
      wait,
      serve: (make) => {
        cancelTimer();
        const nowMs = clock.nowMs();
        this.#rate.note(nowMs);
        resolve(make(this.#line.serve(place)));
        waited(nowMs - arrivedAtMs);
      },
      refuse: (error) => {
        if (!this.#line.has(place)) return;
        cancelTimer();
        this.#line.remove(place);
        reject(error);
        left(wait);
      },
    };
    const place = this.#line.add(wait, waiter);
    const cancelTimer = clock.after(
      wait.deadlineAtMs - arrivedAtMs,
      () => waiter.refuse(waitedTooLong(wait.deadlineMs)),
    );
    // Last: it may call back at once.
    wait.cancellation?.onCancel(() => waiter.refuse(new ClientGone()));
    return promise;
  }

  #lineFull(): Error {
    const { queueDepthMax, clock } = this.#options;
    const message = limitMessage(
      "Too many calls are waiting",
      "queueDepthMax",
      queueDepthMax,
      this.depth + 1,
    );
    const retryAfterSeconds = this.#rate.secondsFor(this.depth, clock.nowMs());
    return fault("capacity_exhausted", message, { retryAfterSeconds });
  }
}

function tenantLineFull(max: number, actual: number): Error {
  const message = limitMessage("Too many calls of the tenant are waiting", "queuedCallsMax", max, actual);
  return fault("tenant_capacity_exhausted", message, { retryAfterSeconds: TENANT_RETRY_SECONDS });
}

function waitedTooLong(deadlineMs: number): Error {
  return fault("invoke_timeout", `Call was still waiting for a cell at its deadline of ${deadlineMs} ms`);
}
