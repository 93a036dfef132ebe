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
  readonly cancel: () => void;
}

/** Watches the clients of running calls. */
export class Departures {
  readonly #clock: Clock;
  /** Calls whose clients are not watched yet: begun in this interval, and in the one before. */
  #young = new Set<Watched>();
  #older = new Set<Watched>();
  readonly #ended = new WeakSet<Watched>();
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `cancel` when the client leaves, until the returned function is called. */
  watch(cancellation: Cancellation | undefined, cancel: () => void): () => void {
    if (cancellation === undefined) return () => {};
    const watched: Watched = { cancellation, cancel };
    this.#young.add(watched);
    this.#cancelTimer ??= this.#clock.after(LOOK_AFTER_MS, () => this.#look());
    return () => {
      this.#ended.add(watched);
      this.#young.delete(watched) || this.#older.delete(watched);
    };
  }

  #look(): void {
    this.#cancelTimer = undefined;
    const due = this.#older;
    this.#older = this.#young;
    this.#young = new Set();
    for (const watched of due) {
      watched.cancellation.onCancel(() => {
        if (!this.#ended.has(watched)) watched.cancel();
      });
    }
    if (this.#older.size > 0) this.#cancelTimer = this.#clock.after(LOOK_AFTER_MS, () => this.#look());
  }
}
