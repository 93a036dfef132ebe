/**
 * The choices of a generated module: a stream of numbers that a seed repeats, and that ends.
 *
 * Owns the stream only. After `length` choices every further one is the first, and first choices are the simple
 * ones everywhere in this folder: so the length is what a failing test shrinks. Invariant: the same seed and
 * length give the same choices.
 */
export class Choices {
  #state: number;
  #left: number;

  constructor(seed: number, length = Number.POSITIVE_INFINITY) {
    this.#state = Math.imul(seed ^ 0x5bd1_e995, 0x9e37_79b1) | 1;
    this.#left = length;
    for (let warmUp = 0; warmUp < 4; warmUp++) this.#step();
  }

  /** Whether the stream has ended and only first choices follow. */
  get ended(): boolean {
    return this.#left <= 0;
  }

  /** 32 bits, as an unsigned number. */
  bits(): number {
    if (this.#left <= 0) return 0;
    this.#left--;
    return this.#step();
  }

  /** A number from 0 to `count - 1`. */
  below(count: number): number {
    return this.bits() % count;
  }

  /** A number from `min` to `max`, both included; `min` is the simple one. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True once in so many times; false is the simple one. */
  oneIn(times: number): boolean {
    return this.below(times) === times - 1 && times > 0;
  }

  /** One of the items; the first is the simple one. Throws RangeError for none. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("There is nothing to pick from");
    return items[this.below(items.length)] as T;
  }

  /** Xorshift by 13, 17, 5 (Marsaglia, "Xorshift RNGs", 2003), with a multiplication to mix the low bits. */
  #step(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return Math.imul(this.#state, 0x85eb_ca6b) >>> 7 | 0;
  }
}
