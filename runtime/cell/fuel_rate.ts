/**
 * FuelRate: how much fuel code may have until it is to ask again.
 *
 * Owns the estimate, from what was used in the time since the last mark. A guest has one and each call's
 * kernels another: their paces differ. It knows no limits (fiber.ts and kernel_pacer.ts do). Invariant: a grant
 * is a whole number of GRANT_MIN to GRANT_MAX, and at most GRANT_GROWTH_MAX times the one before.
 */

/** First grant: some 10 µs of the slowest code that is not hostile. */
const GRANT_FIRST = 20_000;
/**
 * Smallest and largest grant. A guest whose host calls take long burns next to nothing; the fastest code burns
 * some 2 million in a millisecond, and a guest that makes itself look faster must gain nothing by it.
 */
const GRANT_MIN = 50;
const GRANT_MAX = 500_000;
/** Most by which a grant exceeds the one before: code may turn slower by far from one tick to the next. */
const GRANT_GROWTH_MAX = 4;
/** How often code is to ask, so that a phase of slow code cannot make one grant last long. */
const TICK_MS = 0.2;

/** One pace. */
export class FuelRate {
  #grant = GRANT_FIRST;
  /** When the code came on, or was given its last grant, and what it had used by then. */
  #markedAtMs = 0;
  #markedFuel = 0;

  /** How much the code should get now. */
  get grant(): number {
    return this.#grant;
  }

  /** The code runs from now on; `fuel` is what it has used in all. */
  mark(fuel: number, nowMs: number): void {
    this.#markedAtMs = nowMs;
    this.#markedFuel = fuel;
  }

  /** It asks, having used `fuel` in all. What it used in the time it ran says how much it burns in TICK_MS. */
  note(fuel: number, nowMs: number): void {
    const used = fuel - this.#markedFuel;
    const elapsedMs = nowMs - this.#markedAtMs;
    // Too little to tell a rate from: it had slept, or has only begun.
    if (used * GRANT_GROWTH_MAX < this.#grant) return;
    const wanted = elapsedMs > 0 ? used * TICK_MS / elapsedMs : Infinity;
    const bounded = Math.min(wanted, this.#grant * GRANT_GROWTH_MAX, GRANT_MAX);
    this.#grant = Math.round(Math.max(GRANT_MIN, bounded));
  }
}
