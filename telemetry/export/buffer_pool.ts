/**
 * BufferPool: buffers of batches that were sent, for the batches to come.
 *
 * Owns the buffers between two uses. A fresh one of this size comes from the system page by page, and touching its
 * pages for the first time costs the event loop more than encoding what it holds (docs/decisions/0014-export-thread.md).
 * Invariant: a buffer has one holder, what is kept is bounded, and what a batch sees of an old one is not more than it
 * has written itself.
 */

/** Smallest buffer that is made and kept. */
const BUFFER_BYTES_MIN = 64 * 1024;
/** Most bytes that are kept. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;

/** Buffers that are not in use. */
export class BufferPool {
  readonly #buffers: ArrayBuffer[] = [];
  #bytes = 0;

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `length` bytes of any content, the caller's own until they are given back. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const index = this.#buffers.findLastIndex((buffer) => buffer.byteLength >= length);
    const [found] = index < 0 ? [] : this.#buffers.splice(index, 1);
    if (found === undefined) return new Uint8Array(new ArrayBuffer(capacityFor(length)), 0, length);
    this.#bytes -= found.byteLength;
    return new Uint8Array(found, 0, length);
  }

  /** Takes a buffer back; where too much is kept, what was longest without use goes. */
  give(buffer: ArrayBuffer): void {
    const { byteLength } = buffer;
    if (byteLength < BUFFER_BYTES_MIN || byteLength > KEPT_BYTES_MAX) return;
    this.#buffers.push(buffer);
    this.#bytes += byteLength;
    while (this.#bytes > KEPT_BYTES_MAX) this.#bytes -= this.#buffers.shift()?.byteLength ?? 0;
  }
}

/** Powers of two, so that batches of about a size fit into each other's buffers. */
function capacityFor(length: number): number {
  let capacity = BUFFER_BYTES_MIN;
  while (capacity < length) capacity *= 2;
  return capacity;
}
