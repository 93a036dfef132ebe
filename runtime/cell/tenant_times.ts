/**
 * TenantTimes: how much of the thread each tenant has had, for fair turns.
 *
 * Owns one virtual time per tenant with calls in the cell, as start-time fair queueing has it (Goyal, Vin and
 * Cheng 1996): who comes anew, or has slept, starts where the least served of those who want the thread stands,
 * so that nobody can save up turns or has to make up for those before it came. Invariant: a tenant without
 * calls leaves nothing behind.
 */
import { invariant } from "../model/invariant.ts";

interface Share {
  calls: number;
  /** Calls that run or wait for their turn; the others sleep. */
  callsAwake: number;
  timeMs: number;
}

/** The shares of the tenants of one cell. */
export class TenantTimes {
  readonly #shares = new Map<string, Share>();

  /** A call of the tenant has come, asleep. */
  enter(tenant: string): void {
    const share = this.#shares.get(tenant);
    if (share === undefined) this.#shares.set(tenant, { calls: 1, callsAwake: 0, timeMs: 0 });
    else share.calls++;
  }

  /** A sleeping call of the tenant has gone. */
  leave(tenant: string): void {
    const share = this.#share(tenant);
    share.calls--;
    invariant(share.callsAwake <= share.calls, "A call falls asleep before it goes");
    if (share.calls === 0) this.#shares.delete(tenant);
  }

  /** A call of the tenant wants the thread from now on. */
  wake(tenant: string): void {
    const share = this.#share(tenant);
    if (share.callsAwake === 0) share.timeMs = Math.max(share.timeMs, this.#startMs());
    share.callsAwake++;
    invariant(share.callsAwake <= share.calls, "A call wakes once");
  }

  /** A call of the tenant wants the thread no more. */
  sleep(tenant: string): void {
    const share = this.#share(tenant);
    invariant(share.callsAwake > 0, "Only what is awake falls asleep");
    share.callsAwake--;
  }

  /** The tenant had the thread. */
  charge(tenant: string, ranMs: number): void {
    this.#share(tenant).timeMs += ranMs;
  }

  /** What the tenant has had: the least is served next. */
  of(tenant: string): number {
    return this.#share(tenant).timeMs;
  }

  #share(tenant: string): Share {
    const share = this.#shares.get(tenant);
    invariant(share !== undefined, "A tenant with a call in the cell has a share");
    return share;
  }

  /** The least time of those awake; while all sleep, the greatest, as nobody waits who had less. */
  #startMs(): number {
    let leastMs = Infinity;
    let greatestMs = 0;
    for (const { callsAwake, timeMs } of this.#shares.values()) {
      if (callsAwake > 0) leastMs = Math.min(leastMs, timeMs);
      greatestMs = Math.max(greatestMs, timeMs);
    }
    return leastMs === Infinity ? greatestMs : leastMs;
  }
}
