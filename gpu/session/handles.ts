/**
 * Handles: numbers that stand for a guest's kernels, buffers, streams and events.
 *
 * Owns one table per kind and instance. Numbers begin at a random place, so one of another instance, of another
 * kind, or one made up is hit by chance only, and a number is never used twice. Invariant: a handle is a
 * positive integer below 2^53, so that it is exact as a double; 0 is never one.
 */

/** Bits of the random beginning: 2^20 handles later it is still below 2^53. */
const SEED_HIGH_MASK = 0xf_ffff;
const TWO_32 = 0x1_0000_0000;

/** The handles of one kind in one instance. */
export class HandleTable<T> {
  readonly #entries = new Map<number, T>();
  #next: number;

  /** @param random fills words with random bits; tests give their own */
  constructor(
    random: (words: Uint32Array<ArrayBuffer>) => unknown = (words) => crypto.getRandomValues(words),
  ) {
    const words = new Uint32Array(2);
    random(words);
    const [low = 0, high = 0] = words;
    this.#next = (high & SEED_HIGH_MASK) * TWO_32 + low + 1;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Gives out a handle. */
  add(entry: T): bigint {
    const handle = this.#next++;
    this.#entries.set(handle, entry);
    return BigInt(handle);
  }

  /** What a guest's i64 stands for, if it is a handle of this table. Above 2^53 a double is none of ours. */
  get(handle: bigint): T | undefined {
    return this.#entries.get(Number(handle));
  }

  /** Takes a handle back; what it stood for. */
  remove(handle: bigint): T | undefined {
    const key = Number(handle);
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    return entry;
  }

  /** Everything that has a handle. */
  entries(): IterableIterator<T> {
    return this.#entries.values();
  }

  clear(): void {
    this.#entries.clear();
  }
}
