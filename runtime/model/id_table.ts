/**
 * IdTable: what is under way, by its number.
 *
 * Owns finding by number. For what comes and goes all the time a Map would be ruinous: when it makes a new table for
 * itself, the old one refers to the new, so that once one of them has grown old, everything that was ever in the
 * Map survives young collections, until the next full one (docs/decisions/0021-what-outlives-a-call.md). Invariant:
 * what was taken out is referred to by nothing here, not even by what was taken out before.
 */

interface Entry<Value> {
  readonly id: number;
  value: Value;
  next: Entry<Value> | undefined;
}

const CHAINS_COUNT_START = 16;

/** Values by numbers, which are integers from 0 to 2³²−1 and mostly near to each other. */
export class IdTable<Value> {
  /** As many as a power of two; entry `id` is in the one that its lowest bits name. */
  #chains: (Entry<Value> | undefined)[] = emptyChains(CHAINS_COUNT_START);
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** The value with a number. */
  get(id: number): Value | undefined {
    return this.#find(id)?.value;
  }

  /** Whether there is one with this number. */
  has(id: number): boolean {
    return this.#find(id) !== undefined;
  }

  /** Enters a value, in the place of an earlier one with its number. */
  set(id: number, value: Value): void {
    const known = this.#find(id);
    if (known !== undefined) {
      known.value = value;
      return;
    }
    if (this.#size === this.#chains.length) this.#grow();
    this.#size++;
    this.#link({ id, value, next: undefined });
  }

  /** Takes a value out; false if there is none. */
  delete(id: number): boolean {
    const at = this.#chainOf(id);
    let before: Entry<Value> | undefined;
    for (let entry = this.#chains[at]; entry !== undefined; before = entry, entry = entry.next) {
      if (entry.id !== id) continue;
      if (before === undefined) this.#chains[at] = entry.next;
      else before.next = entry.next;
      entry.next = undefined;
      this.#size--;
      return true;
    }
    return false;
  }

  /** All values as they are now, in no order. */
  values(): Value[] {
    const values: Value[] = [];
    for (let entry of this.#chains) {
      for (; entry !== undefined; entry = entry.next) values.push(entry.value);
    }
    return values;
  }

  /** Takes everything out. */
  clear(): void {
    this.#chains = emptyChains(CHAINS_COUNT_START);
    this.#size = 0;
  }

  #find(id: number): Entry<Value> | undefined {
    let entry = this.#chains[this.#chainOf(id)];
    while (entry !== undefined && entry.id !== id) entry = entry.next;
    return entry;
  }

  #chainOf(id: number): number {
    return id & (this.#chains.length - 1);
  }

  #link(entry: Entry<Value>): void {
    const at = this.#chainOf(entry.id);
    entry.next = this.#chains[at];
    this.#chains[at] = entry;
  }

  #grow(): void {
    const old = this.#chains;
    this.#chains = emptyChains(2 * old.length);
    for (let entry of old) {
      while (entry !== undefined) {
        const { next }: Entry<Value> = entry;
        this.#link(entry);
        entry = next;
      }
    }
  }
}

function emptyChains<Value>(count: number): (Entry<Value> | undefined)[] {
  return new Array<Entry<Value> | undefined>(count).fill(undefined);
}
