/**
 * Samples: numbers of one kind, and what can be said of them.
 *
 * Owns percentiles by the nearest-rank method. It keeps every value, so it is for runs, not for servers.
 * Invariant: a percentile is always one of the values that were added.
 */

/** What a report says of samples. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** A growing set of numbers. */
export class Samples {
  #values: number[] = [];
  #isSorted = true;

  get count(): number {
    return this.#values.length;
  }

  add(value: number): void {
    this.#values.push(value);
    this.#isSorted = false;
  }

  addAll(values: Iterable<number>): void {
    for (const value of values) this.add(value);
  }

  /** The smallest value that at least `share` of all values do not exceed; NaN if there are none. */
  percentile(share: number): number {
    if (!this.#isSorted) this.#values.sort((a, b) => a - b);
    this.#isSorted = true;
    const rank = Math.max(1, Math.ceil(share * this.#values.length));
    return this.#values[rank - 1] ?? NaN;
  }

  summary(): Summary {
    return {
      count: this.count,
      p50: this.percentile(0.5),
      p99: this.percentile(0.99),
      max: this.percentile(1),
    };
  }

  /** For people, in milliseconds. */
  toString(): string {
    const { count, p50, p99, max } = this.summary();
    if (count === 0) return "no samples";
    return `p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(2)}, max ${max.toFixed(2)} ms of ${count}`;
  }
}
