/**
 * GpuShare: one device's permits, lent to calls that may launch kernels on it.
 *
 * Owns how many calls use the device at a time, who waits for that and until when, and every way of leaving the
 * wait: served, deadline passed, no hope to be served before it, client gone, displaced by a tenant with fewer
 * calls waiting, closed. The order is that of gpu_line.ts, what calls are thought to need gpu_estimates.ts's.
 * The driver shares the device among processes without regard to who they are; this decides who may ask it.
 * Invariants: never more than `permitsMax` permits are out, each comes back once; whoever leaves takes its timer.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import type { Cancellation } from "../model/invocation.ts";
import { limitMessage } from "../model/limits.ts";
import { ClientGone } from "./admission.ts";
import { GpuEstimates } from "./gpu_estimates.ts";
import { GpuLine } from "./gpu_line.ts";
import type { GpuPlace, GpuTurn } from "./gpu_line.ts";
import { GrantRate } from "./grant_rate.ts";

/** A call leaves at once only if what goes before it takes so many times what is left to it. */
const DOUBT = 2;
const RETRY_SECONDS_MAX = 30;
/** How soon a tenant that has filled its own part of the line may try again. */
const TENANT_RETRY_SECONDS = 1;

/** Why a call was refused or sent away. */
export type GpuShedKind = "gpu_capacity" | "gpu_tenant" | "gpu_displaced" | "gpu_deadline";

/** Who wants the device, and until when. */
export interface GpuClaim {
  readonly tenant: string;
  /** The tenant's part of the device, beside the weights of the others. */
  readonly weight: number;
  /** Names what runs (a function's export): its former calls tell how long it will take. */
  readonly work: string;
  readonly deadlineMs: number;
  readonly deadlineAtMs: number;
  readonly cancellation?: Cancellation | undefined;
  /** Most calls of this tenant that wait at a time. */
  readonly queuedCallsMax: number;
}

/** The right to use the device; disposing of it gives it back. */
export interface GpuPermit extends Disposable {
  /**
   * Tells what the call has used, in milliseconds of the device. A permit that comes back without is charged
   * all the time for which it was out: its call's cell has died, maybe with a kernel that did not end.
   */
  settle(usedMs: number): void;
  /** Says that nothing was run with it. */
  forgo(): void;
}

/** What a share works with. */
export interface GpuShareOptions {
  readonly clock: Clock;
  /** Most calls that use the device at a time. */
  readonly permitsMax: number;
  /** Most calls that wait for it. */
  readonly queueDepthMax: number;
  readonly observer: GpuShareObserver;
}

/** What a share tells of itself. */
export interface GpuShareObserver {
  /** After every change. */
  permits(used: number, free: number): void;
  /** A call was given its permit after so long. */
  waited(ms: number): void;
  shed(kind: GpuShedKind, tenant: string): void;
}

interface Waiter {
  readonly claim: GpuClaim;
  readonly serve: (turn: GpuTurn) => void;
  readonly refuse: (error: Error) => void;
}

/** The permits of one device. */
export class GpuShare {
  readonly #options: GpuShareOptions;
  readonly #line = new GpuLine<Waiter>();
  readonly #estimates = new GpuEstimates();
  readonly #rate = new GrantRate();
  #isClosed = false;

  constructor(options: GpuShareOptions) {
    this.#options = options;
    options.observer.permits(0, options.permitsMax);
  }

  /** Permits out, and calls and tenants that wait or are remembered. */
  counts(): { readonly used: number; readonly waiting: number; readonly tenants: number } {
    return { used: this.#line.inUse, waiting: this.#line.depth, tenants: this.#line.tenantCount };
  }

  /**
   * Takes a permit, or waits for one.
   *
   * @throws RuntimeFault at once `tenant_capacity_exhausted` when the tenant has its part of the line,
   * `capacity_exhausted` when the line is full or the call's turn would come after its deadline; later
   * `invoke_timeout` at the deadline, `capacity_exhausted` when displaced; ClientGone when nobody waits for the
   * answer any more
   */
  acquire(claim: GpuClaim): Promise<GpuPermit> {
    const { clock, observer, queueDepthMax } = this.#options;
    if (this.#isClosed) return Promise.reject(closing());
    if (claim.deadlineAtMs <= clock.nowMs()) return Promise.reject(waitedTooLong(claim));
    const { tenant, queuedCallsMax } = claim;
    const expectedMs = this.#estimates.expectedMs(tenant, claim.work);
    const refuse = (kind: GpuShedKind, error: Error): Promise<never> => {
      observer.shed(kind, tenant);
      return Promise.reject(error);
    };
    const ofTenant = this.#line.waitingOf(tenant);
    if (!this.#line.mayPass(claim, this.#free())) {
      if (ofTenant >= queuedCallsMax) {
        return refuse("gpu_tenant", tenantLineFull(queuedCallsMax, ofTenant + 1));
      }
      const hopeless = this.#hopeless(claim, expectedMs);
      if (hopeless !== undefined) return refuse("gpu_deadline", hopeless);
      if (this.#line.depth >= queueDepthMax) {
        const full = this.#lineFull();
        const newest = this.#line.newestOfLongest();
        if (newest === undefined || this.#line.waitingOf(newest.tenant) <= ofTenant) {
          return refuse("gpu_capacity", full);
        }
        newest.value.refuse(full);
        observer.shed("gpu_displaced", newest.tenant);
      }
    }
    return this.#enter(claim, expectedMs);
  }

  /** Refuses whoever waits and everyone after. */
  close(): void {
    this.#isClosed = true;
    for (let place = this.#line.anyone(); place !== undefined; place = this.#line.anyone()) {
      place.value.refuse(closing());
    }
  }

  #free(): number {
    return this.#options.permitsMax - this.#line.inUse;
  }

  #enter(claim: GpuClaim, expectedMs: number): Promise<GpuPermit> {
    const { clock, observer } = this.#options;
    const arrivedAtMs = clock.nowMs();
    const { promise, resolve, reject } = Promise.withResolvers<GpuPermit>();
    let cancelTimer = (): void => {};
    const waiter: Waiter = {
      claim,
      serve: (turn) => {
        cancelTimer();
        const nowMs = clock.nowMs();
        this.#rate.note(nowMs);
        observer.waited(nowMs - arrivedAtMs);
        resolve(this.#permit(claim, turn, nowMs));
      },
      refuse: (error) => {
        if (!this.#line.has(place)) return;
        cancelTimer();
        this.#line.remove(place);
        reject(error);
      },
    };
    const { tenant, weight } = claim;
    const place: GpuPlace<Waiter> = this.#line.add({ tenant, weight, expectedMs }, waiter);
    this.#serve();
    // To ask whether its client is there costs more than all of this: only for one that waits.
    if (this.#line.has(place)) {
      cancelTimer = clock.after(
        claim.deadlineAtMs - arrivedAtMs,
        () => waiter.refuse(waitedTooLong(claim)),
      );
      // Last: it may call back at once.
      claim.cancellation?.onCancel(() => waiter.refuse(new ClientGone()));
    }
    return promise;
  }

  #permit(claim: GpuClaim, turn: GpuTurn, grantedAtMs: number): GpuPermit {
    let usedMs: number | undefined;
    let [isOut, isUsed] = [true, true];
    return {
      settle: (ms) => {
        usedMs = ms;
      },
      forgo: () => {
        isUsed = false;
      },
      [Symbol.dispose]: () => {
        if (!isOut) return;
        isOut = false;
        const ms = isUsed ? usedMs ?? this.#options.clock.nowMs() - grantedAtMs : 0;
        if (isUsed) this.#estimates.note(claim.tenant, claim.work, ms);
        this.#line.finish(turn, ms);
        this.#serve();
      },
    };
  }

  /** Lends what is free to whoever's turn it is. */
  #serve(): void {
    const { clock, observer, permitsMax } = this.#options;
    while (!this.#isClosed) {
      const next = this.#line.next(this.#free());
      if (next === undefined) break;
      if (next.value.claim.deadlineAtMs <= clock.nowMs()) {
        next.value.refuse(waitedTooLong(next.value.claim));
        continue;
      }
      const served = this.#line.serve(this.#free());
      served?.place.value.serve(served.turn);
    }
    observer.permits(this.#line.inUse, permitsMax - this.#line.inUse);
  }

  /**
   * The refusal of a call that cannot be served in time: what goes before it takes longer, of the device alone,
   * than it may wait. A doubt is to its advantage.
   */
  #hopeless(claim: GpuClaim, expectedMs: number): Error | undefined {
    const aheadMs = this.#line.aheadMs({ ...claim, expectedMs });
    if (aheadMs <= DOUBT * (claim.deadlineAtMs - this.#options.clock.nowMs())) return undefined;
    const text =
      `Call would wait for about ${Math.round(aheadMs)} ms of the device's time, longer than its ` +
      `deadline of ${claim.deadlineMs} ms`;
    const seconds = Math.ceil(aheadMs / 1000);
    return fault("capacity_exhausted", text, { retryAfterSeconds: Math.min(seconds, RETRY_SECONDS_MAX) });
  }

  #lineFull(): Error {
    const { clock, queueDepthMax } = this.#options;
    const { depth } = this.#line;
    const message = limitMessage(
      "Too many calls are waiting for the device",
      "queueDepthMax",
      queueDepthMax,
      depth + 1,
    );
    const retryAfterSeconds = this.#rate.secondsFor(depth, clock.nowMs());
    return fault("capacity_exhausted", message, { retryAfterSeconds });
  }
}

function tenantLineFull(max: number, actual: number): Error {
  const what = "Too many calls of the tenant are waiting for the device";
  const message = limitMessage(what, "queuedCallsMax", max, actual);
  return fault("tenant_capacity_exhausted", message, { retryAfterSeconds: TENANT_RETRY_SECONDS });
}

function waitedTooLong({ deadlineMs }: GpuClaim): Error {
  return fault("invoke_timeout", `Call was still waiting for the device at its deadline of ${deadlineMs} ms`);
}

function closing(): Error {
  return fault("capacity_exhausted", "The gateway is shutting down", { retryAfterSeconds: 1 });
}
