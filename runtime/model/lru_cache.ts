/**
 * LruCache: the values used last, bounded by count and by weight.
 *
 * Owns order and bounds. It loads nothing and knows no meaning of a weight. Invariant: neither bound is ever
 * exceeded; a value that alone exceeds the weight is not kept.
 */

/** The bounds of a cache. */
export interface LruBounds {
  /** Most entries. */
  readonly countMax: number;
  /** Most weight of all entries together, in the unit of `set`. */
  readonly weightMax: number;
}

interface Entry<V> {
  readonly value: V;
  readonly weight: number;
}

/** A map that forgets what was not used for longest. */
export class LruCache<K, V> {
  readonly #bounds: LruBounds;
  /** In the order of last use: a Map iterates in the order of insertion. */
  readonly #entries = new Map<K, Entry<V>>();
  #weight = 0;

  constructor(bounds: LruBounds) {
    this.#bounds = bounds;
  }

  /** How many entries are kept. */
  get count(): number {
    return this.#entries.size;
  }

  /** The weight of all entries. */
  get weight(): number {
    return this.#weight;
  }

  /** The value of a key, which counts as a use. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Keeps a value under a key, in place of an earlier one, and forgets others until the bounds hold. */
  set(key: K, value: V, weight: number): void {
    this.delete(key);
    if (weight > this.#bounds.weightMax) return;
    this.#entries.set(key, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#bounds.countMax && this.#weight <= this.#bounds.weightMax) break;
      this.delete(oldest);
    }
  }

  /** Forgets a key. */
  delete(key: K): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#weight -= entry.weight;
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }
}
