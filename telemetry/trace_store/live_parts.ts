/**
 * LiveParts: the parts of traces that run, oldest first.
 *
 * Owns their order, by links that stand in the parts themselves. A Set would keep all that was ever in it from young
 * collections (docs/decisions/0021-what-outlives-a-call.md). Invariant: a part that was taken out refers to no other,
 * and no other refers to it.
 */
import type { Collected, LocalTrace } from "../trace/local_trace.ts";

/** Parts in the order in which they were added. */
export class LiveParts implements Iterable<LocalTrace> {
  #first: LocalTrace | undefined;
  #last: LocalTrace | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a part at the end, unless it is here already. */
  add(part: LocalTrace, collected: Collected): void {
    if (collected.isLive) return;
    collected.isLive = true;
    collected.before = this.#last;
    if (this.#last?.collected === undefined) this.#first = part;
    else this.#last.collected.after = part;
    this.#last = part;
    this.#size++;
  }

  /** Takes a part out, if it is here. */
  remove({ collected }: LocalTrace): void {
    if (collected?.isLive !== true) return;
    const { before, after } = collected;
    if (before?.collected === undefined) this.#first = after;
    else before.collected.after = after;
    if (after?.collected === undefined) this.#last = before;
    else after.collected.before = before;
    collected.isLive = false;
    collected.before = collected.after = undefined;
    this.#size--;
  }

  /** Oldest first. What was given last may be taken out meanwhile, and nothing else. */
  *[Symbol.iterator](): Generator<LocalTrace> {
    for (let part = this.#first; part !== undefined;) {
      const after: LocalTrace | undefined = part.collected?.after;
      yield part;
      part = after;
    }
  }
}
