/**
 * Buckets: a histogram in the making, for the gateway to add to its own.
 *
 * Owns the counting. Invariant: a value is in the first bucket whose bound is not below it, the last bucket
 * being for what exceeds all bounds.
 */
import type { BucketCounts } from "../wire/messages.ts";

/** Counts durations by size. */
export class Buckets {
  readonly #bounds: readonly number[];
  #counts: number[];
  #sumSeconds = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = this.#empty();
  }

  add(seconds: number): void {
    let index = 0;
    while (index < this.#bounds.length && seconds > (this.#bounds[index] ?? Infinity)) index++;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sumSeconds += seconds;
  }

  get counts(): BucketCounts {
    return { counts: this.#counts, sumSeconds: this.#sumSeconds };
  }

  /** What was counted since the last time, undefined if nothing. */
  take(): BucketCounts | undefined {
    if (this.#counts.every((count) => count === 0)) return undefined;
    const taken = this.counts;
    this.#counts = this.#empty();
    this.#sumSeconds = 0;
    return taken;
  }

  #empty(): number[] {
    return Array<number>(this.#bounds.length + 1).fill(0);
  }
}
