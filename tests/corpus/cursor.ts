/**
 * Cursor: reads the primitive pieces of a WebAssembly binary, for the corpus and its feature list.
 *
 * Owns the offset alone. Invariant: reading past the end is a RangeError, never a silent zero.
 */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  offset: number;

  constructor(bytes: Uint8Array, offset: number, end: number = bytes.length) {
    this.#bytes = bytes;
    this.offset = offset;
    this.#end = end;
  }

  peek(): number {
    const byte = this.offset < this.#end ? this.#bytes[this.offset] : undefined;
    if (byte === undefined) throw new RangeError("Read past the end of a section");
    return byte;
  }

  u8(): number {
    const byte = this.peek();
    this.offset++;
    return byte;
  }

  u32(): number {
    return Number(this.u64());
  }

  u64(): bigint {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  /** Passes over a signed number of any width. */
  skipSigned(): void {
    while (this.u8() >= 0x80);
  }

  bytes(count: number): Uint8Array {
    const from = this.offset;
    this.offset += count;
    if (this.offset > this.#end) throw new RangeError("Read past the end of a section");
    return this.#bytes.subarray(from, this.offset);
  }

  /** Passes over a value or storage type and notes what it says about features. */
  valueType(features: Set<string>): void {
    const form = this.u8();
    if (form === 0x7b) features.add("simd");
    if (form === 0x69 || form === 0x74) features.add("exnref");
    if (form === 0x6f) features.add("reference-types");
    if (form === 0x63 || form === 0x64) {
      features.add("typed-references");
      if (this.peek() === 0x69 || this.peek() === 0x74) features.add("exnref");
      this.skipSigned();
    } else if (form >= 0x6a && form <= 0x73 && form !== 0x70 && form !== 0x6f) features.add("gc");
  }

  blockType(features: Set<string>): void {
    const form = this.peek();
    if (form === 0x40) this.offset++;
    else if (form >= 0x63 && form <= 0x7f && form < 0x80) this.valueType(features);
    else {
      features.add("multi-value");
      this.skipSigned();
    }
  }
}
