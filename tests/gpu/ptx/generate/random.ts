/**
 * Random: a stream of numbers that a seed repeats.
 *
 * Owns the stream and the usual ways to draw from it. Invariant: the same seed gives the same draws on every
 * host.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x2545_f491) >>> 0;
    for (let warmUp = 0; warmUp < 3; warmUp++) this.bits();
  }

  /** 32 bits, unsigned: a Weyl sequence, mixed by two multiplications with shifts. */
  bits(): number {
    this.#state = (this.#state + 0x9e37_79b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** From 0 to `count - 1`. */
  below(count: number): number {
    return this.bits() % count;
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True in so many of a hundred draws. */
  percent(chance: number): boolean {
    return this.below(100) < chance;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("There is nothing to pick from");
    return items[this.below(items.length)] as T;
  }

  /** One of the items, by weight. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    const total = items.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.below(total);
    for (const [weight, item] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    throw new RangeError("There is nothing to pick from");
  }
}
