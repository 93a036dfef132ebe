/**
 * ModuleShelf: which modules a cell holds, by number, bounded by bytes.
 *
 * Owns the numbering and the order of use; the gateway decides here, the cell only obeys. Invariant: the
 * newest module is always on the shelf, even if it alone exceeds the bound.
 */
import { invariant } from "../model/invariant.ts";
import { type Link, LinkedList } from "../model/linked_list.ts";

interface Shelved {
  readonly digest: string;
  readonly number: number;
  readonly bytes: number;
}

/** The modules of one cell. */
export class ModuleShelf {
  readonly #bytesMax: number;
  readonly #links = new Map<string, Link<Shelved>>();
  /** Used longest ago first. */
  readonly #order = new LinkedList<Shelved>();
  #bytes = 0;
  #nextNumber = 1;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  has(digest: string): boolean {
    return this.#links.has(digest);
  }

  /** Puts a module on the shelf; `evicted` are the numbers that had to go for it. */
  add(digest: string, bytes: number): { readonly number: number; readonly evicted: readonly number[] } {
    invariant(!this.#links.has(digest), "A module is sent to a cell once");
    const evicted: number[] = [];
    for (let old = this.#order.first; old !== undefined; old = this.#order.first) {
      if (this.#bytes + bytes <= this.#bytesMax) break;
      this.#order.remove(old);
      this.#links.delete(old.value.digest);
      this.#bytes -= old.value.bytes;
      evicted.push(old.value.number);
    }
    const number = this.#nextNumber++;
    this.#links.set(digest, this.#order.push({ digest, number, bytes }));
    this.#bytes += bytes;
    return { number, evicted };
  }

  /** The number of a module on the shelf; marks it as used. */
  use(digest: string): number {
    const link = this.#links.get(digest);
    invariant(link !== undefined, "A module is sent to a cell before it is called");
    this.#order.moveToEnd(link);
    return link.value.number;
  }
}
