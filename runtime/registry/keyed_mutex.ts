/**
 * KeyedMutex: one at a time per key, in the order of asking.
 *
 * Owns the queues. It has no deadline: what runs inside must end by itself. Invariant: bodies of one key
 * never overlap, those of different keys never wait for each other, and an idle key takes no memory.
 */

/** A mutex for each key. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  /** How many keys have a body running or waiting. */
  get keysCount(): number {
    return this.#tails.size;
  }

  /** Runs `body` after all earlier bodies of `key` have ended, well or not. */
  async run<T>(key: string, body: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const { promise: tail, resolve: leave } = Promise.withResolvers<void>();
    this.#tails.set(key, tail);
    try {
      await before;
      return await body();
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
      leave();
    }
  }
}
