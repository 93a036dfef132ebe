/**
 * ProtoWriter: protobuf's wire format into one growing buffer.
 *
 * Owns the encoding of scalars and nested messages (protobuf.dev, "Encoding"). It knows no message. Invariant:
 * lengths are in their shortest form, and what `take` returns is the caller's own.
 */

/** Wire types of a field's tag. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
export const FIXED32 = 5;

const TWO_32 = 0x1_0000_0000;
/** Largest buffer that is kept for the next message. */
const KEPT_BYTES_MAX = 1024 * 1024;
const utf8 = new TextEncoder();

/** The tag of a field: its number and wire type. */
export function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** Writes protobuf. */
export class ProtoWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = 0;

  constructor(bytesStart: number) {
    this.#bytes = new Uint8Array(bytesStart);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** Forgets what was written after the first `length` bytes; all of it by default. */
  rewind(length = 0): void {
    this.#at = length;
    if (length === 0 && this.#bytes.length > KEPT_BYTES_MAX) this.#use(new Uint8Array(KEPT_BYTES_MAX));
  }

  /** What was written, valid until more is. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at);
  }

  /** A copy of what was written; the writer is empty afterwards and keeps its buffer unless it grew large. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#at);
    this.rewind();
    return taken;
  }

  /** An unsigned integer of at most 32 bits. */
  varint(value: number): void {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  /** A safe integer as int64: negative ones take ten bytes, in two's complement. */
  int64(value: number): void {
    if (value >= 0 && value < TWO_32) return this.varint(value);
    this.#reserve(10);
    let low = value % TWO_32 >>> 0;
    let high = Math.floor(value / TWO_32) >>> 0;
    while (high > 0 || low > 0x7f) {
      this.#bytes[this.#at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#bytes[this.#at++] = low;
  }

  fixed32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  /** A non-negative safe integer. */
  fixed64(value: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.#at, value % TWO_32, true);
    this.#view.setUint32(this.#at + 4, Math.floor(value / TWO_32), true);
    this.#at += 8;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** Milliseconds since the epoch as nanoseconds in a fixed64, without a BigInt. */
  nanos(ms: number): void {
    this.#reserve(8);
    const seconds = Math.floor(ms / 1000);
    const upper = Math.floor(seconds / 0x10000) * 1e9;
    const lower = (seconds % 0x10000) * 1e9 + Math.round((ms - seconds * 1000) * 1e6);
    const sum = (upper % 0x10000) * 0x10000 + lower;
    this.#view.setUint32(this.#at, sum % TWO_32, true);
    this.#view.setUint32(this.#at + 4, Math.floor(upper / 0x10000) + Math.floor(sum / TWO_32), true);
    this.#at += 8;
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** An even number of lower-case hex digits as bytes, with their length. */
  hex(digits: string): void {
    const count = digits.length >> 1;
    this.varint(count);
    this.#reserve(count);
    // Locals instead of fields: this loop is the hottest of the export.
    const bytes = this.#bytes;
    const start = this.#at;
    for (let index = 0; index < count; index++) {
      bytes[start + index] = (nibble(digits.charCodeAt(2 * index)) << 4) |
        nibble(digits.charCodeAt(2 * index + 1));
    }
    this.#at = start + count;
  }

  /** Text as UTF-8, with its length. A lone surrogate becomes U+FFFD. */
  string(text: string): void {
    const { length } = text;
    this.#reserve(3 * length + 5);
    if (length < 64 && this.#shortAscii(text, length)) return;
    const start = this.begin();
    this.#at += utf8.encodeInto(text, this.#bytes.subarray(this.#at)).written;
    this.end(start);
  }

  /** Most strings are short and ASCII; for these a call of the encoder costs more than the text. */
  #shortAscii(text: string, length: number): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = length;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.#at = at;
    return true;
  }

  /** Begins a nested message; hand the result to `end`. */
  begin(): number {
    this.#reserve(1);
    this.#at += 1;
    return this.#at;
  }

  /** Ends a nested message: puts its length before it, and moves it if the length needs more than a byte. */
  end(start: number): void {
    const length = this.#at - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    const extra = length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : length < 0x1000_0000 ? 3 : 4;
    this.#reserve(extra);
    this.#bytes.copyWithin(start + extra, start, this.#at);
    this.#at = start - 1;
    this.varint(length);
    this.#at += length;
  }

  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#use(grown);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** The value of a lower-case hex digit. Without a branch: on random digits the processor guesses wrong too often. */
function nibble(code: number): number {
  return (code & 15) + 9 * (code >> 6);
}
