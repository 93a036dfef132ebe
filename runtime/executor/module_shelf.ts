/**
 * ModuleShelf: which modules a cell holds, by number, bounded by bytes.
 *
 * Owns the numbering and the order of use; the gateway decides here, the cell only obeys. Invariant: the
 * newest module is always on the shelf, even if it alone exceeds the bound.
 */
import { invariant } from "../model/invariant.ts";

interface Shelved {
  readonly number: number;
  readonly bytes: number;
}

/** The modules of one cell, least recently used first. */
export class ModuleShelf {
  readonly #bytesMax: number;
  /** A Map keeps insertion order: using a module moves it to the end. */
  readonly #modules = new Map<string, Shelved>();
  #bytes = 0;
  #nextNumber = 1;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  has(digest: string): boolean {
    return this.#modules.has(digest);
  }

  /** Puts a module on the shelf; `evicted` are the numbers that had to go for it. */
  add(digest: string, bytes: number): { readonly number: number; readonly evicted: readonly number[] } {
    invariant(!this.#modules.has(digest), "A module is sent to a cell once");
    const evicted: number[] = [];
    for (const [oldDigest, old] of this.#modules) {
      if (this.#bytes + bytes <= this.#bytesMax) break;
      this.#modules.delete(oldDigest);
      this.#bytes -= old.bytes;
      evicted.push(old.number);
    }
    const number = this.#nextNumber++;
    this.#modules.set(digest, { number, bytes });
    this.#bytes += bytes;
    return { number, evicted };
  }

  /** The number of a module on the shelf; marks it as used. */
  use(digest: string): number {
    const shelved = this.#modules.get(digest);
    invariant(shelved !== undefined, "A module is sent to a cell before it is called");
    this.#modules.delete(digest);
    this.#modules.set(digest, shelved);
    return shelved.number;
  }
}
