/**
 * AddressRanges: which device addresses are a context's own.
 *
 * Owns the allocations and module variables by address. The driver takes an address that it does not know for
 * one of this process's memory (CUDA Driver API, "Unified Addressing"), so none that a caller names may reach it
 * unchecked. Invariant: ranges do not overlap; what is contained lies in one of them.
 */

/** Ranges by their first address. */
export class AddressRanges {
  readonly #sizes = new Map<bigint, number>();
  /** First addresses, sorted. */
  #starts: bigint[] = [];

  sizeAt(start: bigint): number | undefined {
    return this.#sizes.get(start);
  }

  add(start: bigint, byteLength: number): void {
    if (!this.#sizes.has(start)) this.#starts.splice(this.#countUpTo(start), 0, start);
    this.#sizes.set(start, byteLength);
  }

  delete(start: bigint): void {
    if (this.#sizes.delete(start)) this.#starts.splice(this.#countUpTo(start) - 1, 1);
  }

  clear(): void {
    this.#sizes.clear();
    this.#starts = [];
  }

  starts(): IterableIterator<bigint> {
    return this.#sizes.keys();
  }

  /** Whether so many bytes from an address on lie in one range. */
  contains(address: bigint, byteLength: number): boolean {
    const atStart = this.#sizes.get(address);
    if (atStart !== undefined) return byteLength <= atStart;
    const start = this.#starts[this.#countUpTo(address) - 1];
    if (start === undefined) return false;
    return Number(address - start) + byteLength <= (this.#sizes.get(start) ?? 0);
  }

  /** How many ranges begin at an address or before it. */
  #countUpTo(address: bigint): number {
    let [low, high] = [0, this.#starts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0n) <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
