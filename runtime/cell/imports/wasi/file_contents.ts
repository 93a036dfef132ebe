/**
 * The bytes of one in-memory file, and the quota that all files of a call share.
 *
 * Owns growth, truncation and accounting. It knows no names and no descriptors. Invariants: the quota is
 * charged before a buffer is allocated and refunded after it was let go; a buffer is never larger than twice
 * its file or CAPACITY_BYTES_MIN; every byte between a file's size and its buffer's end is zero.
 */
import { ERRNO, WasiRefusal } from "./errno.ts";
import type { GuestBuffers } from "./guest_memory.ts";

/** Smallest buffer of a file that is not empty; bounds how often a growing file is copied. */
const CAPACITY_BYTES_MIN = 256;

/** Bytes that the files of one call may still take. */
export class FileQuota {
  #freeBytes: number;

  constructor(bytesMax: number) {
    this.#freeBytes = bytesMax;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Takes bytes; refuses with `nospc`, and takes nothing, when there are not enough. */
  charge(bytes: number): void {
    if (bytes > this.#freeBytes) throw new WasiRefusal(ERRNO.nospc);
    this.#freeBytes -= bytes;
  }

  /** Gives bytes back. */
  refund(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

/** The contents of one file. Sizes and offsets are bytes, whole and not negative. */
export class FileContents {
  readonly #quota: FileQuota;
  #bytes = new Uint8Array(0);
  #size = 0;

  constructor(quota: FileQuota) {
    this.#quota = quota;
  }

  get size(): number {
    return this.#size;
  }

  /** Fills `target` from `offset` on; returns how many bytes there were. */
  read(target: GuestBuffers, offset: number): number {
    let position = offset;
    for (const part of target.parts) {
      if (position >= this.#size) break;
      const end = Math.min(position + part.length, this.#size);
      part.set(this.#bytes.subarray(position, end));
      position = end;
    }
    return position - offset;
  }

  /** Writes all of `source`, which has bytes, at `offset`, or refuses with `nospc` and writes nothing. */
  write(source: GuestBuffers, offset: number): void {
    const end = offset + source.totalBytes;
    if (end > this.#size) this.#grow(end);
    let position = offset;
    for (const part of source.parts) {
      this.#bytes.set(part, position);
      position += part.length;
    }
  }

  /** Cuts the file, or lengthens it with zeros; refuses with `nospc` and changes nothing. */
  resize(size: number): void {
    if (size > this.#size) this.#grow(size);
    else if (size < this.#size) this.#shrink(size);
  }

  #grow(size: number): void {
    const addedBytes = size - this.#size;
    this.#quota.charge(addedBytes);
    if (size > this.#bytes.length) {
      // Doubling, but never beyond what the quota would let this file become.
      const wanted = Math.max(this.#bytes.length * 2, CAPACITY_BYTES_MIN);
      const capacity = Math.max(size, Math.min(wanted, size + this.#quota.freeBytes));
      try {
        this.#reallocate(capacity);
      } catch {
        this.#quota.refund(addedBytes);
        throw new WasiRefusal(ERRNO.nospc);
      }
    }
    this.#size = size;
  }

  #shrink(size: number): void {
    const removedBytes = this.#size - size;
    if (this.#bytes.length > Math.max(size * 2, CAPACITY_BYTES_MIN)) this.#reallocate(size);
    else this.#bytes.fill(0, size, this.#size);
    this.#size = size;
    this.#quota.refund(removedBytes);
  }

  /** Moves the bytes to a buffer of `capacity`; what is new in it is zero. */
  #reallocate(capacity: number): void {
    this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(capacity));
  }
}
