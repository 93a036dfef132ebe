/**
 * Admission: the bounded line in front of the cells.
 *
 * Owns who waits, in which order, and every way of leaving the line: served, deadline passed, client gone,
 * line closed. First come, first served. It does not know cells. Invariant: a waiter leaves exactly once, and
 * never more than `depthMax` wait.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import type { Cancellation } from "../model/invocation.ts";
import { limitMessage } from "../model/limits.ts";

/** The client left while its call was waiting. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

interface Waiter<T> {
  readonly grant: (value: T) => void;
  readonly refuse: (error: Error) => void;
}

/** Who waits and until when. */
export interface Wait {
  readonly deadlineMs: number;
  readonly deadlineAtMs: number;
  readonly cancellation?: Cancellation | undefined;
  /** Set when the call had its turn before and got nothing of it: it goes ahead of those that had none. */
  readonly hasWaited?: boolean;
}

/** A line of waiters for values of type T. */
export class Admission<T> {
  readonly #clock: Clock;
  readonly #depthMax: number;
  /** A Set keeps the order of arrival and lets anyone leave in constant time. */
  readonly #waiters = new Set<Waiter<T>>();
  /** Those that had their turn before; served first, and not refused for the depth of the line. */
  readonly #returned = new Set<Waiter<T>>();

  constructor(clock: Clock, depthMax: number) {
    this.#clock = clock;
    this.#depthMax = depthMax;
  }

  get depth(): number {
    return this.#waiters.size + this.#returned.size;
  }

  /** Whether the first in line had its turn before. */
  get isFirstReturned(): boolean {
    return this.#returned.size > 0;
  }

  /**
   * Waits for a value.
   *
   * @throws RuntimeFault `capacity_exhausted` at once when the line is full, `invoke_timeout` when the
   * deadline passes first; ClientGone when nobody waits for the answer any more
   */
  wait(wait: Wait): Promise<T> {
    const depth = this.depth;
    if (depth >= this.#depthMax && wait.hasWaited !== true) {
      const message = limitMessage("Too many calls are waiting", "queueDepthMax", this.#depthMax, depth + 1);
      return Promise.reject(fault("capacity_exhausted", message, { retryAfterSeconds: 1 }));
    }
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        cancelTimer();
        this.#waiters.delete(waiter) || this.#returned.delete(waiter);
      };
      const waiter: Waiter<T> = {
        grant: (value) => (leave(), resolve(value)),
        refuse: (error) => (leave(), reject(error)),
      };
      const remainingMs = Math.max(0, wait.deadlineAtMs - this.#clock.nowMs());
      const cancelTimer = this.#clock.after(remainingMs, () => waiter.refuse(waitedTooLong(wait.deadlineMs)));
      (wait.hasWaited ? this.#returned : this.#waiters).add(waiter);
      wait.cancellation?.onCancel(() => this.#isWaiting(waiter) && waiter.refuse(new ClientGone()));
    });
  }

  /** Serves the first in line; false if nobody waits. */
  grant(value: T): boolean {
    const [waiter] = this.#returned.size > 0 ? this.#returned : this.#waiters;
    waiter?.grant(value);
    return waiter !== undefined;
  }

  /** Refuses everyone in line. */
  refuseAll(makeError: () => Error): void {
    for (const waiter of [...this.#returned, ...this.#waiters]) waiter.refuse(makeError());
  }

  #isWaiting(waiter: Waiter<T>): boolean {
    return this.#waiters.has(waiter) || this.#returned.has(waiter);
  }
}

function waitedTooLong(deadlineMs: number): Error {
  return fault("invoke_timeout", `Call was still waiting for a cell at its deadline of ${deadlineMs} ms`);
}
