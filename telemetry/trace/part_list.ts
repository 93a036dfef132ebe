/**
 * PartList: what is held of parts of traces, oldest first.
 *
 * Owns their order, by links that stand in the members themselves. A Set or Map would keep all that was ever in it from
 * young collections (docs/decisions/0021-what-outlives-a-call.md). Invariant: a member that was taken out refers to no
 * other, and no other refers to it.
 */

/** A member of one list. */
export interface ListedPart<Self> {
  isListed: boolean;
  before: Self | undefined;
  after: Self | undefined;
}

/** Members in the order in which they were added. */
export class PartList<Part extends ListedPart<Part>> implements Iterable<Part> {
  #first: Part | undefined;
  #last: Part | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest. */
  get first(): Part | undefined {
    return this.#first;
  }

  /** Adds a member at the end, unless it is here already. */
  add(part: Part): void {
    if (part.isListed) return;
    part.isListed = true;
    part.before = this.#last;
    if (this.#last === undefined) this.#first = part;
    else this.#last.after = part;
    this.#last = part;
    this.#size++;
  }

  /** Takes a member out, if it is here. */
  remove(part: Part): void {
    if (!part.isListed) return;
    const { before, after } = part;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    part.isListed = false;
    part.before = part.after = undefined;
    this.#size--;
  }

  /** Oldest first. What was given last may be taken out meanwhile, and nothing else. */
  *[Symbol.iterator](): Generator<Part> {
    for (let part = this.#first; part !== undefined;) {
      const { after }: Part = part;
      yield part;
      part = after;
    }
  }
}
