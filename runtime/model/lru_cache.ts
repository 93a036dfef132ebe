/**
 * LruCache: the values used last, bounded by count and by weight.
 *
 * Owns order and bounds. It loads nothing and knows no meaning of a weight. Invariant: neither bound is ever
 * exceeded; a value that alone exceeds the weight is not kept.
 */
import { type Link, LinkedList } from "./linked_list.ts";

/** The bounds of a cache. */
export interface LruBounds {
  /** Most entries. */
  readonly countMax: number;
  /** Most weight of all entries together, in the unit of `set`. */
  readonly weightMax: number;
}

interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
  readonly weight: number;
}

/** A map that forgets what was not used for longest. */
export class LruCache<K, V> {
  readonly #bounds: LruBounds;
  readonly #links = new Map<K, Link<Entry<K, V>>>();
  /** Used longest ago first. Putting a key into a Map anew would order that likewise, and make a new table ever so often. */
  readonly #order = new LinkedList<Entry<K, V>>();
  #weight = 0;

  constructor(bounds: LruBounds) {
    this.#bounds = bounds;
  }

  /** How many entries are kept. */
  get count(): number {
    return this.#links.size;
  }

  /** The weight of all entries. */
  get weight(): number {
    return this.#weight;
  }

  /** The value of a key, which counts as a use. */
  get(key: K): V | undefined {
    const link = this.#links.get(key);
    if (link === undefined) return undefined;
    this.#order.moveToEnd(link);
    return link.value.value;
  }

  /** Keeps a value under a key, in place of an earlier one, and forgets others until the bounds hold. */
  set(key: K, value: V, weight: number): void {
    this.delete(key);
    if (weight > this.#bounds.weightMax) return;
    this.#links.set(key, this.#order.push({ key, value, weight }));
    this.#weight += weight;
    while (this.count > this.#bounds.countMax || this.#weight > this.#bounds.weightMax) {
      const oldest = this.#order.first;
      if (oldest === undefined) return;
      this.delete(oldest.value.key);
    }
  }

  /** Forgets a key. */
  delete(key: K): void {
    const link = this.#links.get(key);
    if (link === undefined) return;
    this.#links.delete(key);
    this.#order.remove(link);
    this.#weight -= link.value.weight;
  }

  /** Forgets everything. */
  clear(): void {
    for (const key of [...this.#links.keys()]) this.delete(key);
  }
}
