/**
 * ByteWriter: bytes that are appended one after the other, in a buffer that grows.
 *
 * Owns the encodings that the instrumenter writes (LEB128 integers, ranges of the original, names).
 * Invariant: `bytes()` is exactly what was written, whatever the capacity.
 */

import { invariant } from "../../model/invariant.ts";

/** The unsigned LEB128 of a number. */
export function unsignedBytes(value: number): readonly number[] {
  const out = new ByteWriter(5);
  out.unsigned(value);
  return [...out.bytes()];
}

/** An append-only buffer. */
export class ByteWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `capacity` is a guess in bytes; more is taken when it is needed. */
  constructor(capacity: number) {
    this.#buffer = new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** A view of what was written; valid until the next write. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the buffer. */
  clear(): void {
    this.#length = 0;
  }

  u8(byte: number): void {
    if (this.#length === this.#buffer.length) this.#grow(1);
    this.#buffer[this.#length++] = byte;
  }

  /** Bytes one by one; for short sequences. */
  write(...bytes: readonly number[]): void {
    for (const byte of bytes) this.u8(byte);
  }

  /** Unsigned LEB128 of a safe integer, which may exceed 32 bits. */
  unsigned(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  /** Signed LEB128 of a 32-bit integer. */
  signed(value: number): void {
    invariant(value === (value | 0), "A signed integer has 32 bits");
    let rest = value;
    while (rest < -0x40 || rest > 0x3f) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.u8(rest & 0x7f);
  }

  /** A range of another buffer. */
  copy(source: Uint8Array, start: number, end: number): void {
    const count = end - start;
    if (this.#length + count > this.#buffer.length) this.#grow(count);
    // A loop beats the call of `set` for the short pieces between two instructions.
    if (count < 24) {
      for (let index = start; index < end; index++) this.#buffer[this.#length++] = source[index] ?? 0;
      return;
    }
    this.#buffer.set(source.subarray(start, end), this.#length);
    this.#length += count;
  }

  /** Bytes as they are. */
  append(bytes: Uint8Array): void {
    this.copy(bytes, 0, bytes.length);
  }

  /** Length and bytes. */
  sized(bytes: Uint8Array): void {
    this.unsigned(bytes.length);
    this.append(bytes);
  }

  #grow(count: number): void {
    const grown = new Uint8Array(Math.max(this.#length + count, this.#buffer.length * 2, 64));
    grown.set(this.bytes());
    this.#buffer = grown;
  }
}
