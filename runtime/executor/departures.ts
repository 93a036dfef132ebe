/**
 * Departures: ends calls whose clients have left.
 *
 * Owns when a client is asked about: only once its call has lasted for LOOK_AFTER_MS, because asking makes the
 * server create a signal for the request, which costs more than a short call's whole run. One timer serves all
 * calls, and is not cancelled for each that ends. Invariant: a call that has ended is never cancelled; a timer
 * with nothing left to look at is the last.
 */
import type { Clock } from "../model/clock.ts";
import type { Cancellation } from "../model/invocation.ts";

/** A call is watched once it has lasted for one to two of these; a client that left before is noticed then. */
export const LOOK_AFTER_MS = 4;

interface Watched {
  readonly cancellation: Cancellation;
  /** Undefined once the call has ended: nothing of it is to stay until the look. */
  cancel: (() => void) | undefined;
}

/** Watches the clients of running calls. */
export class Departures {
  readonly #clock: Clock;
  /** Calls whose clients are not watched yet: begun in this interval, and in the one before. */
  #young: Watched[] = [];
  #older: Watched[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `cancel` when the client leaves, until the returned function is called. */
  watch(cancellation: Cancellation | undefined, cancel: () => void): () => void {
    if (cancellation === undefined) return () => {};
    const watched: Watched = { cancellation, cancel };
    this.#young.push(watched);
    this.#cancelTimer ??= this.#clock.after(LOOK_AFTER_MS, () => this.#look());
    return () => void (watched.cancel = undefined);
  }

  #look(): void {
    this.#cancelTimer = undefined;
    const due = this.#older;
    this.#older = this.#young.filter(isRunning);
    this.#young = [];
    for (const watched of due.filter(isRunning)) watched.cancellation.onCancel(() => watched.cancel?.());
    if (this.#older.length > 0) this.#cancelTimer = this.#clock.after(LOOK_AFTER_MS, () => this.#look());
  }
}

function isRunning(watched: Watched): boolean {
  return watched.cancel !== undefined;
}
