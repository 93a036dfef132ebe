/**
 * Columns: growing arrays of small numbers, for what is noted per instruction or per block.
 *
 * Owns their memory: one or four bytes per entry, where an array of numbers takes eight. Invariant: what was
 * never set is 0; memory is at most twice what was asked for, and is kept.
 */

/** A growing array of unsigned 32-bit numbers. */
export class ColumnU32 {
  #values = new Uint32Array(64);

  get(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    if (index >= this.#values.length) {
      const grown = new Uint32Array(Math.max(index + 1, this.#values.length * 2));
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[index] = value;
  }
}

/** A growing array of bytes. */
export class ColumnU8 {
  #values = new Uint8Array(64);

  get(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    if (index >= this.#values.length) {
      const grown = new Uint8Array(Math.max(index + 1, this.#values.length * 2));
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[index] = value;
  }
}
