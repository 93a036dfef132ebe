/**
 * BlockMemory: the memory of blocks that have left, for those that come.
 *
 * A full store gets a new block some times a second. Fresh memory costs a page fault for every 4 KiB, and the old is
 * free only when the garbage collector comes round, until when a store takes more than it may. Owns a few buffers of
 * one size. Invariant: what is given back is read by nobody any more: pieces are decoded where they stand, at once.
 */

/** Room for the piece that overflows a block. */
const SLACK_BYTES = 4096;
const FREE_COUNT_MAX = 2;

/** Memory for blocks of about one size. */
export class BlockMemory {
  readonly #byteLength: number;
  readonly #free: ArrayBuffer[] = [];

  constructor(blockBytes: number) {
    this.#byteLength = blockBytes + SLACK_BYTES;
  }

  /** A copy of bytes. Blocks that are much smaller or larger than usual have memory of just their size. */
  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length > this.#byteLength || 2 * bytes.length < this.#byteLength) return bytes.slice();
    const copied = new Uint8Array(this.#free.pop() ?? new ArrayBuffer(this.#byteLength), 0, bytes.length);
    copied.set(bytes);
    return copied;
  }

  /** Takes the memory of a block back. */
  giveBack(bytes: Uint8Array | undefined): void {
    const buffer = bytes?.buffer;
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== this.#byteLength) return;
    if (this.#free.length < FREE_COUNT_MAX) this.#free.push(buffer);
  }
}
