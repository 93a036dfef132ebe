/**
 * Random numbers for the cases: the same for the same name.
 *
 * Owns the generator (xorshift128 seeded by a hash of a text) and arrays of typical and of awkward values.
 * Invariant: nothing here depends on time, platform or order of the cases.
 */

/** A generator. */
export class Random {
  readonly seed: number;
  #x: number;
  #y: number;
  #z: number;
  #w: number;

  constructor(name: string) {
    let hash = 0x811c9dc5;
    for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
    this.seed = hash >>> 0;
    this.#x = this.seed;
    this.#y = 362436069;
    this.#z = 521288629;
    this.#w = 88675123;
    for (let round = 0; round < 16; round++) this.u32();
  }

  /** Any 32 bits. */
  u32(): number {
    const t = this.#x ^ (this.#x << 11);
    this.#x = this.#y;
    this.#y = this.#z;
    this.#z = this.#w;
    this.#w = this.#w ^ (this.#w >>> 19) ^ t ^ (t >>> 8);
    return this.#w >>> 0;
  }

  /** A whole number below `bound`. */
  below(bound: number): number {
    return Math.floor((this.u32() / 2 ** 32) * bound);
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + (this.u32() / 2 ** 32) * (high - low);
  }

  f32s(count: number, low = -1, high = 1): Float32Array<ArrayBuffer> {
    return new Float32Array(count).map(() => this.between(low, high));
  }

  f64s(count: number, low = -1, high = 1): Float64Array<ArrayBuffer> {
    return new Float64Array(count).map(() =>
      low + (this.u32() + this.u32() / 2 ** 32) / 2 ** 32 * (high - low)
    );
  }

  f16s(count: number, low = -1, high = 1): Float16Array<ArrayBuffer> {
    return new Float16Array(count).map(() => this.between(low, high));
  }

  i32s(count: number, low = -(2 ** 31), high = 2 ** 31): Int32Array<ArrayBuffer> {
    return new Int32Array(count).map(() => Math.floor(this.between(low, high)));
  }

  u32s(count: number, bound = 2 ** 32): Uint32Array<ArrayBuffer> {
    return new Uint32Array(count).map(() => Math.floor(this.between(0, bound)));
  }

  u8s(count: number, bound = 256): Uint8Array<ArrayBuffer> {
    return new Uint8Array(count).map(() => this.below(bound));
  }

  i8s(count: number): Int8Array<ArrayBuffer> {
    return new Int8Array(count).map(() => this.u32());
  }

  i16s(count: number): Int16Array<ArrayBuffer> {
    return new Int16Array(count).map(() => this.u32());
  }

  u16s(count: number): Uint16Array<ArrayBuffer> {
    return new Uint16Array(count).map(() => this.u32());
  }

  u64s(count: number): BigUint64Array<ArrayBuffer> {
    return new BigUint64Array(count).map(() => (BigInt(this.u32()) << 32n) | BigInt(this.u32()));
  }

  i64s(count: number): BigInt64Array<ArrayBuffer> {
    return new BigInt64Array(this.u64s(count).buffer);
  }

  /** Floats of any bits: every exponent, subnormals, infinities and NaN; edge values come first. */
  anyF32s(count: number): Float32Array<ArrayBuffer> {
    const values = new Float32Array(this.u32s(count).buffer);
    for (const [index, value] of EDGE_F32.entries()) if (index < count) values[index] = value;
    return values;
  }

  /** Doubles of any bits; edge values come first. */
  anyF64s(count: number): Float64Array<ArrayBuffer> {
    const values = new Float64Array(this.u64s(count).buffer);
    for (const [index, value] of EDGE_F64.entries()) if (index < count) values[index] = value;
    return values;
  }

  /** Integers with the edges first. */
  anyI32s(count: number): Int32Array<ArrayBuffer> {
    const values = this.i32s(count);
    for (const [index, value] of EDGE_I32.entries()) if (index < count) values[index] = value;
    return values;
  }

  /** Integers with the edges first. */
  anyI64s(count: number): BigInt64Array<ArrayBuffer> {
    const values = this.i64s(count);
    for (const [index, value] of EDGE_I64.entries()) if (index < count) values[index] = value;
    return values;
  }

  /** The numbers 0..count−1 in some order. */
  permutation(count: number): Int32Array<ArrayBuffer> {
    const values = new Int32Array(count).map((_, index) => index);
    for (let index = count - 1; index > 0; index--) {
      const other = this.below(index + 1);
      const kept = values[index] ?? 0;
      values[index] = values[other] ?? 0;
      values[other] = kept;
    }
    return values;
  }
}

const EDGE_F32 = [
  ...[0, -0, 1, -1, Infinity, -Infinity, NaN, 0.5, -0.5, 1.5, 2.5, -1.5, -2.5],
  ...[
    2 ** -149,
    -(2 ** -149),
    2 ** -126,
    2 ** -126 - 2 ** -149,
    2 ** 127 * (2 - 2 ** -23),
    -(2 ** 127 * (2 - 2 ** -23)),
  ],
  ...[2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 23, 2 ** 24 + 2, 8388607.5, 2147483520, 4294967040, 2 ** 63, 0.1],
];
const EDGE_F64 = [
  ...[0, -0, 1, -1, Infinity, -Infinity, NaN, 0.5, -0.5, 1.5, 2.5, Number.MIN_VALUE, -Number.MIN_VALUE],
  ...[2 ** -1022, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 52, 2 ** 53 + 2],
  ...[4503599627370495.5, 2 ** 63, -(2 ** 63), 2 ** 64, 0.1, 2 ** -149, 2 ** -150, 3.4028235677973366e38],
];
const EDGE_I32 = [0, 1, -1, 2, -2, 2 ** 31 - 1, -(2 ** 31), 31, 32, 33, 63, 64, 255, 256, -128, 65535, 65536];
const EDGE_I64 = [
  ...[0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 31n, -(2n ** 31n), 2n ** 32n, 2n ** 32n - 1n],
  ...[63n, 64n, 65n, 10n, -10n],
];
