/**
 * GrantRate: how fast calls have got their slots lately, and so how long a refused one should stay away.
 *
 * Owns an average that forgets: what happened `MEMORY_MS` ago counts 1/e of what happens now. Invariant: the
 * answer is a whole number of seconds from 1 to 30.
 */
const MEMORY_MS = 5_000;
/** Shorter observations say little: a burst on an idle pool would look like an endless rate. */
const OBSERVED_MS_MIN = 1_000;
const RETRY_SECONDS_MIN = 1;
const RETRY_SECONDS_MAX = 30;

/** The recent rate of grants. */
export class GrantRate {
  #level = 0;
  #levelAtMs = 0;
  #sinceMs: number | undefined;

  /** Notes one grant. */
  note(nowMs: number): void {
    this.#sinceMs ??= nowMs;
    this.#level = this.#levelAt(nowMs) + 1;
    this.#levelAtMs = nowMs;
  }

  /** Grants per second as of now. */
  perSecond(nowMs: number): number {
    if (this.#sinceMs === undefined) return 0;
    const observedMs = Math.max(OBSERVED_MS_MIN, nowMs - this.#sinceMs);
    // A steady rate r has the level r * MEMORY_MS * (1 - e^(-observed / MEMORY_MS)).
    return this.#levelAt(nowMs) * 1000 / (MEMORY_MS * (1 - Math.exp(-observedMs / MEMORY_MS)));
  }

  /** After how many seconds a line of `depth` calls will have been served at this rate. */
  secondsFor(depth: number, nowMs: number): number {
    const seconds = Math.ceil(depth / this.perSecond(nowMs));
    // No grants at all divide to infinity, or to NaN for an empty line.
    return Math.min(RETRY_SECONDS_MAX, Math.max(RETRY_SECONDS_MIN, seconds || RETRY_SECONDS_MIN));
  }

  #levelAt(nowMs: number): number {
    return this.#level === 0 ? 0 : this.#level * Math.exp((this.#levelAtMs - nowMs) / MEMORY_MS);
  }
}
