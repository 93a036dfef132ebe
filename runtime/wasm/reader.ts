/**
 * ByteReader: the bounded cursor over the bytes of a module that all of runtime/wasm reads through.
 *
 * Owns the primitive encodings of the binary format (bytes, LEB128 integers, vector counts, names) and the
 * one fault they raise. It knows nothing of sections or types. Invariant: the cursor never leaves
 * [start, end), and every failure is RuntimeFault `invalid_wasm` with a fixed text and a byte offset, never
 * bytes of the guest.
 */
import { fault, type RuntimeFault } from "../model/fault.ts";
import { invariant } from "../model/invariant.ts";
import { limitMessage } from "../model/limits.ts";

// ignoreBOM keeps a leading U+FEFF, which is an ordinary character of a name to the engine.
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The fault for bytes that break the binary format: a fixed text, and the byte of the module. */
export function malformed(reason: string, offset: number): RuntimeFault {
  return fault("invalid_wasm", `Module is malformed at byte ${offset}: ${reason}`);
}

/** The fault for a module that is well formed but exceeds a limit of the reader. */
export function overLimit(
  what: string,
  limit: string,
  max: number,
  actual: number,
  offset: number,
): RuntimeFault {
  return fault("invalid_wasm", `${limitMessage(what, limit, max, actual)}, at byte ${offset}`);
}

/** A cursor over part of a module; offsets count from the start of the module. Methods throw `invalid_wasm`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #offset: number;

  /** Reads `bytes` from `start` up to `end` (exclusive); by default all of them. */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      throw malformed("a part ends beyond the module", start);
    }
    this.#bytes = bytes;
    this.#start = start;
    this.#offset = start;
    this.#end = end;
  }

  /** The byte that is read next. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes between the cursor and the end. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** One byte. */
  u8(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined || this.#offset >= this.#end) throw malformed("unexpected end", this.#offset);
    this.#offset++;
    return byte;
  }

  /** The byte that is read next, without moving. */
  peek(): number {
    const byte = this.u8();
    this.#offset--;
    return byte;
  }

  /** Unsigned LEB128 of 32 bits (core specification, binary format, "Integers"). */
  u32(): number {
    const start = this.#offset;
    // Most are one byte long, and reading code is mostly this.
    const first = this.#bytes[start];
    if (first !== undefined && first < 0x80 && start < this.#end) {
      this.#offset = start + 1;
      return first;
    }
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.u8();
      checkLastByte(byte, 32 - shift, false, start);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  /** The unsigned LEB128 of 32 bits that is read next, without moving. */
  peekU32(): number {
    const start = this.#offset;
    const value = this.u32();
    this.#offset = start;
    return value;
  }

  /** Unsigned LEB128 of 64 bits; memory64 and table64 limits use it. */
  u64(): bigint {
    const start = this.#offset;
    let value = 0n;
    for (let shift = 0;; shift += 7) {
      const byte = this.u8();
      checkLastByte(byte, 64 - shift, false, start);
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) return value;
    }
  }

  /** Signed LEB128 of 33 bits: the encoding of heap types and block types. */
  s33(): number {
    return this.#signed(33);
  }

  /** Passes over a signed LEB128 of 32 or 64 bits and checks its form. */
  skipSigned(bits: 32 | 64): void {
    this.#signed(bits);
  }

  /** Passes over an unsigned LEB128 of 64 bits and checks its form: the offset of a memory access. */
  skipU64(): void {
    const start = this.#offset;
    for (let bitsLeft = 64;; bitsLeft -= 7) {
      const byte = this.u8();
      checkLastByte(byte, bitsLeft, false, start);
      if (byte < 0x80) return;
    }
  }

  /** Passes over `length` bytes. */
  skip(length: number): void {
    if (length > this.remaining) throw malformed("unexpected end", this.#offset);
    this.#offset += length;
  }

  /** Moves the cursor to `offset`, which must lie in the same part. */
  moveTo(offset: number): void {
    invariant(offset >= this.#start && offset <= this.#end, "A reader moves within its part");
    this.#offset = offset;
  }

  /** A reader of the same part that stands at `offset`, which must lie in it. */
  at(offset: number): ByteReader {
    return new ByteReader(this.#bytes, offset, this.#end);
  }

  /** A reader of the next `length` bytes; this cursor moves behind them. */
  part(length: number): ByteReader {
    const start = this.#offset;
    this.skip(length);
    return new ByteReader(this.#bytes, start, this.#offset);
  }

  /**
   * The length of a vector, refused when it is above `max` or cannot fit into the bytes that remain, so that
   * no count can make the caller allocate more than the module is long.
   *
   * @param what plural noun of the items, for the message
   * @param itemBytesMin fewest bytes of one item
   */
  count(what: string, max: number, itemBytesMin: number): number {
    const start = this.#offset;
    const count = this.u32();
    if (count > max) throw overLimit(`Module has too many ${what}`, `${what} limit`, max, count, start);
    if (count * itemBytesMin > this.remaining) throw malformed("a count exceeds the bytes left", start);
    return count;
  }

  /** A name: bytes that must be well-formed UTF-8 (core specification, binary format, "Names"). */
  name(): string {
    const start = this.#offset;
    const length = this.u32();
    if (length > this.remaining) throw malformed("a name ends beyond its section", start);
    const from = this.#offset;
    this.#offset += length;
    try {
      return UTF8.decode(this.#bytes.subarray(from, this.#offset));
    } catch {
      throw malformed("a name is not UTF-8", start);
    }
  }

  /** Reads what is left as a vector: its count, which `count` checks, and that many items, with nothing behind them. */
  each(what: string, max: number, itemBytesMin: number, readItem: (reader: ByteReader) => void): void {
    const count = this.count(what, max, itemBytesMin);
    for (let index = 0; index < count; index++) readItem(this);
    this.finish();
  }

  /** Refuses bytes that are left over. */
  finish(): void {
    if (this.remaining > 0) throw malformed("a section is longer than its content", this.#offset);
  }

  // Exact up to 53 bits; of 64-bit values only the form is checked.
  #signed(bits: number): number {
    const start = this.#offset;
    let value = 0;
    let scale = 1;
    for (let used = 0;; used += 7) {
      const byte = this.u8();
      checkLastByte(byte, bits - used, true, start);
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale;
    }
  }
}

/**
 * Checks the last byte that an integer may have: no continuation, and unused bits that are zero (unsigned)
 * or copies of the sign bit (signed). `bitsLeft` counts the bits of this byte too; above 7, more may follow.
 */
function checkLastByte(byte: number, bitsLeft: number, signed: boolean, start: number): void {
  if (bitsLeft > 7) return;
  if (byte >= 0x80) throw malformed("an integer has too many bytes", start);
  const valueBits = signed ? bitsLeft - 1 : bitsLeft;
  const unused = byte >> valueBits;
  if (unused !== 0 && !(signed && unused === 0x7f >> valueBits)) {
    throw malformed("an integer has unused bits set", start);
  }
}
