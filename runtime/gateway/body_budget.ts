/**
 * BodyBudget: how many bytes of request bodies the gateway holds at a time, over all requests.
 *
 * Owns one counter. A body counts until its request was answered: by its declared length from before it is
 * read, or by each chunk as it arrives where none is declared. Invariant: the sum never exceeds the budget, so
 * clients that send slowly cannot fill the memory together.
 */
import { fault } from "../model/fault.ts";
import type { Limits } from "../model/limits.ts";
import { limitMessage } from "../model/limits.ts";

/** What one request holds of the budget; disposing it gives that back. */
export interface BodyHold extends Disposable {
  /**
   * Counts bytes that were not declared; none any more once it is disposed.
   *
   * @throws RuntimeFault `capacity_exhausted`
   */
  grow(bytes: number): void;
}

/** The budget of one gateway. */
export class BodyBudget {
  readonly #limits: Limits;
  #heldBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Bytes held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Holds room for a request's body. A body over its own limit takes none: it is refused before it is read.
   *
   * @throws RuntimeFault `capacity_exhausted`
   */
  hold(request: Request): BodyHold {
    const declared = Number(request.headers.get("content-length") ?? 0);
    let ownBytes = 0;
    let isOpen = true;
    const hold: BodyHold = {
      grow: (bytes) => {
        if (!isOpen) return;
        this.#take(bytes);
        ownBytes += bytes;
      },
      [Symbol.dispose]: () => {
        isOpen = false;
        this.#heldBytes -= ownBytes;
        ownBytes = 0;
      },
    };
    if (declared <= this.#limits.bodyBytesMax) hold.grow(declared);
    return hold;
  }

  #take(bytes: number): void {
    const { bodiesBytesMax } = this.#limits;
    const heldBytes = this.#heldBytes + bytes;
    if (heldBytes > bodiesBytesMax) {
      const what = "Too many request bodies at a time";
      throw fault("capacity_exhausted", limitMessage(what, "bodiesBytesMax", bodiesBytesMax, heldBytes), {
        retryAfterSeconds: 1,
      });
    }
    this.#heldBytes = heldBytes;
  }
}
