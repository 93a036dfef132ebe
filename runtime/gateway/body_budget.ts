/**
 * BodyBudget: how many bytes of request bodies the gateway holds at a time, over all requests.
 *
 * Owns one counter. A body is counted from before it is read until its request was answered, by its declared
 * length, or as the largest allowed where none is declared. Invariant: the sum never exceeds the budget, so
 * clients that send slowly cannot fill the memory together.
 */
import { fault } from "../model/fault.ts";
import type { Limits } from "../model/limits.ts";
import { limitMessage } from "../model/limits.ts";

/** The budget of one gateway. */
export class BodyBudget {
  readonly #limits: Limits;
  #reservedBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Bytes reserved now. */
  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /**
   * Reserves room for a request's body; the returned function gives it back. A body over its own limit
   * takes none: it is refused before it is read.
   *
   * @throws RuntimeFault `capacity_exhausted`
   */
  reserve(request: Request): () => void {
    const bytes = this.#bytesOf(request);
    const { bodiesBytesMax } = this.#limits;
    if (this.#reservedBytes + bytes > bodiesBytesMax) {
      const message = limitMessage(
        "Too many request bodies at a time",
        "bodiesBytesMax",
        bodiesBytesMax,
        this.#reservedBytes + bytes,
      );
      throw fault("capacity_exhausted", message, { retryAfterSeconds: 1 });
    }
    this.#reservedBytes += bytes;
    return () => {
      this.#reservedBytes -= bytes;
    };
  }

  #bytesOf(request: Request): number {
    const declared = request.headers.get("content-length");
    const { bodyBytesMax } = this.#limits;
    if (declared === null) return request.body === null ? 0 : bodyBytesMax;
    const bytes = Number(declared);
    return bytes > bodyBytesMax ? 0 : bytes;
  }
}
