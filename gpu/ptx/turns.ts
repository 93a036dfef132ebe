/**
 * Turns: long work with places where others may run.
 *
 * Owns the form of it, a generator that yields between its parts, and the way to do it at once. Who lets whom run
 * is the caller's. Invariant: work that nobody interrupts gives the same result as work that is.
 */

/** Work that yields where it may be interrupted. */
export type Turns<T> = Generator<void, T, void>;

/** Does all of it. */
export function finish<T>(work: Turns<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
