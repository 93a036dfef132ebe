/**
 * References of integers.cu: bits, products, quotients and packed bytes.
 *
 * Owns the meaning of each operation, on BigInt where 32 bits do not do. Invariant: exact.
 */
import { addElementwise } from "./elementwise.ts";
import { at, CaseTable, type KernelCase } from "./kernel_case.ts";
import type { Random } from "./random.ts";

type Ints = Int32Array<ArrayBuffer>;
type Words = Uint32Array<ArrayBuffer>;
type Longs = BigInt64Array<ArrayBuffer>;

const signed = (value: bigint, bits = 32): bigint => BigInt.asIntN(bits, value);
const unsigned = (value: number | bigint, bits = 32): bigint => BigInt.asUintN(bits, BigInt(value));

function popcount(value: bigint): number {
  return value.toString(2).replaceAll("0", "").length;
}

function leadingZeros(value: bigint, bits: number): number {
  return value === 0n ? bits : bits - value.toString(2).length;
}

function firstSet(value: bigint): number {
  if (value === 0n) return 0;
  let position = 1;
  for (let rest = value; (rest & 1n) === 0n; rest >>= 1n) position++;
  return position;
}

function reversedBits(value: bigint, bits: number): bigint {
  return BigInt("0b" + [...value.toString(2).padStart(bits, "0")].reverse().join(""));
}

function bytesOf(word: number): number[] {
  return [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff);
}

const toSigned = (byte: number): number => byte > 127 ? byte - 256 : byte;

function fromBytes(bytes: readonly number[]): number {
  return bytes.reduce((word, byte, i) => word | ((byte & 0xff) << (8 * i)), 0) >>> 0;
}

function eachByte(x: number, y: number, of: (a: number, b: number) => number): number {
  const b = bytesOf(y);
  return fromBytes(bytesOf(x).map((a, i) => of(a, at(b, i))));
}

function bits32(x: number, y: number): (number | bigint)[] {
  const [wideX, wideY] = [BigInt(x), BigInt(y)];
  const joined = (wideY << 32n) | wideX;
  const all = [...bytesOf(x), ...bytesOf(y)];
  const permuted = fromBytes([0, 4, 8, 12].map((shift) => at(all, (y >>> shift) & 7)));
  const left = (amount: number): bigint => (joined << BigInt(amount) >> 32n) & 0xffffffffn;
  const right = (amount: number): bigint => (joined >> BigInt(amount)) & 0xffffffffn;
  return [
    popcount(wideX),
    leadingZeros(wideX, 32),
    firstSet(wideX),
    reversedBits(wideX, 32),
    permuted,
    left(x & 31),
    right(y & 31),
    left(Math.min(x & 63, 32)),
    right(Math.min(y & 63, 32)),
    ((x & ~y) | ((x ^ y) >>> 3)) >>> 0,
  ];
}

function bits64(x: bigint): (number | bigint)[] {
  const amount = x & 63n;
  const rotated = ((x << amount) | (x >> ((64n - amount) & 63n))) & 0xffffffffffffffffn;
  return [popcount(x), leadingZeros(x, 64), firstSet(x), reversedBits(x, 64), rotated];
}

function fields(x: number, b: number): number[] {
  const [position, length] = [b & 63, (b >>> 8) & 63];
  const bit = (word: number, i: number): number => (word >>> i) & 1;
  const sign = length === 0 ? 0 : bit(x, Math.min(position + length - 1, 31));
  const extract = (fill: number): number => {
    let field = 0;
    for (let i = 0; i < 32; i++) {
      field |= (i < length && position + i < 32 ? bit(x, position + i) : fill) << i;
    }
    return field;
  };
  let inserted = b;
  for (let i = 0; i < length && position + i < 32; i++) {
    inserted = (inserted & ~(1 << (position + i))) | (bit(x, i) << (position + i));
  }
  const other = x < 0 ? ~x : x;
  return [
    extract(0),
    extract(sign),
    inserted | 0,
    position < 32 ? x << position : 0,
    position < 32 ? (x >>> position) | 0 : 0,
    x >> Math.min(position, 31),
    x === 0 ? -1 : 31 - Math.clz32(x),
    other === 0 ? -1 : Math.clz32(other),
  ];
}

function products(x: number, y: number): bigint[] {
  const [a, b, ua, ub] = [BigInt(x), BigInt(y), unsigned(x), unsigned(y)];
  const distance = (p: bigint, q: bigint): bigint => p < q ? q - p : p - q;
  return [
    a * b,
    (a * b) >> 32n,
    (ua * ub) >> 32n,
    signed(a, 24) * signed(b, 24),
    (ua & 0xffffffn) * (ub & 0xffffffn),
    distance(a, b) + 7n,
    distance(ua, ub) + 7n,
    (a + b) >> 1n,
    (a + b + 1n) >> 1n,
    (ua + ub) >> 1n,
  ].map((value) => signed(value));
}

function products64(x: bigint, y: bigint): bigint[] {
  const [ux, uy] = [unsigned(x, 64), unsigned(y, 64)];
  return [
    x * y,
    (x * y) >> 64n,
    (ux * uy) >> 64n,
    signed(x) * signed(y),
    unsigned(x) * unsigned(y) + y,
    (ux * uy + ux) >> 64n,
  ].map((value) => signed(value, 64));
}

function quotients(x: bigint, y: bigint, bits: number): bigint[] {
  const [ux, uy] = [unsigned(x, bits), unsigned(y, bits)];
  return [x / y, x % y, ux / uy, ux % uy, x / (bits === 32 ? 7n : 1000000007n), ux % 10n]
    .map((value) => signed(value, bits));
}

function narrow(a: number, b: number, c: number, d: number): number[] {
  const sum = a + toSigned(b);
  const signedD = (d << 16) >> 16;
  return [
    (sum << 24) >> 24,
    Math.min(Math.max(sum, -128), 127),
    (b * 3 + 1) & 0xff,
    c * signedD,
    Math.floor(d / (b | 1)),
    Math.trunc(c / (a | 1)),
    c % (a | 1),
    c >> (b & 15),
    d >> (b & 15),
    (c < signedD ? 1 : 0) + ((c & 0xffff) < d ? 2 : 0) + (a < 0 ? 4 : 0) + (b > 200 ? 8 : 0),
  ];
}

function packed(x: number, y: number): number[] {
  const [a, b] = [bytesOf(x), bytesOf(y)];
  const half = (word: number, i: number): number => (word >>> (16 * i)) & 0xffff;
  const signedHalf = (word: number, i: number): number => (half(word, i) << 16) >> 16;
  const clampSigned = (value: number): number => Math.min(Math.max(value, -128), 127);
  const dot = (of: (i: number) => number, count: number): number => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += of(i);
    return sum;
  };
  return [
    -5 + dot((i) => toSigned(at(a, i)) * toSigned(at(b, i)), 4),
    5 + dot((i) => at(a, i) * at(b, i), 4),
    9 + dot((i) => signedHalf(x, i) * toSigned(at(b, i)), 2),
    9 + dot((i) => half(x, i) * at(b, 2 + i), 2),
    eachByte(x, y, (p, q) => p + q),
    eachByte(x, y, (p, q) => p - q),
    eachByte(x, y, (p, q) => Math.min(p + q, 255)),
    eachByte(x, y, (p, q) => clampSigned(toSigned(p) - toSigned(q))),
    eachByte(x, y, (p, q) => Math.abs(p - q)),
    eachByte(x, y, (p, q) => Math.max(toSigned(p), toSigned(q))),
    eachByte(x, y, (p, q) => Math.min(p, q)),
    eachByte(x, y, (p, q) => p > q ? 255 : 0),
    dot((i) => Math.abs(at(a, i) - at(b, i)), 4),
    eachByte(x, y, (p, q) => (p + q + 1) >> 1),
  ];
}

function extremes(x: number, y: number): number[] {
  const [ux, uy] = [x >>> 0, y >>> 0];
  return [
    Math.min(x, y),
    Math.max(x, y),
    Math.min(ux, uy) | 0,
    Math.max(ux, uy) | 0,
    Math.abs(x) | 0,
    x < y ? (x - y) | 0 : (y - x) | 0,
    -x | 0,
    ~x,
  ];
}

function words(values: Words, i: number): bigint {
  return [3, 2, 1, 0].reduce((joined, k) => (joined << 32n) | BigInt(at(values, 4 * i + k)), 0n);
}

/** Divisors for `dividends`: neither zero nor the one that overflows. */
function divisors(random: Random, n: number): Ints {
  return random.anyI32s(n).reverse().map((value) =>
    value === 0 || value === -1 ? 3 : value >> (value & 15) || 1
  )
    .map((value) => value === -1 ? -2 : value);
}

export function integersCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  const newWords = (length: number): Words => new Uint32Array(length);
  const newInts = (length: number): Ints => new Int32Array(length);
  const newLongs = (length: number): Longs => new BigInt64Array(length);
  addElementwise(table, "bits32", {
    inputs: (random, n) => [new Uint32Array(random.anyI32s(n).buffer), random.u32s(n)] as const,
    output: newWords,
    width: 10,
    of: ([a, b]) => (i) => bits32(at(a, i), at(b, i)),
  });
  addElementwise(table, "bits64", {
    inputs: (random, n) => [new BigUint64Array(random.anyI64s(n).buffer)] as const,
    output: (length) => new BigUint64Array(length),
    width: 5,
    of: ([a]) => (i) => bits64(at(a, i)),
  });
  addElementwise(table, "fields", {
    inputs: (random, n) => [random.anyI32s(n), random.u32s(n)] as const,
    output: newInts,
    width: 8,
    of: ([a, b]) => (i) => fields(at(a, i), at(b, i)),
  });
  for (const [kernel, width, of] of [["products", 10, products], ["extremes", 8, extremes]] as const) {
    addElementwise(table, kernel, {
      inputs: (random, n) => [random.anyI32s(n), random.anyI32s(n).reverse()] as const,
      output: newInts,
      width,
      of: ([a, b]) => (i) => of(at(a, i), at(b, i)),
    });
  }
  addElementwise(table, "products64", {
    inputs: (random, n) => [random.anyI64s(n), random.anyI64s(n).reverse()] as const,
    output: newLongs,
    width: 6,
    of: ([a, b]) => (i) => products64(at(a, i), at(b, i)),
  });
  addElementwise(table, "quotients32", {
    inputs: (random, n) => [random.anyI32s(n), divisors(random, n)] as const,
    output: newInts,
    width: 6,
    of: ([a, b]) => (i) => quotients(BigInt(at(a, i)), BigInt(at(b, i)), 32),
  });
  addElementwise(table, "quotients64", {
    inputs: (random, n) =>
      [
        random.anyI64s(n),
        BigInt64Array.from(divisors(random, n), (value, i) => BigInt(value) << BigInt(i % 33)),
      ] as const,
    output: newLongs,
    width: 6,
    of: ([a, b]) => (i) => quotients(at(a, i), at(b, i), 64),
  });
  addElementwise(table, "narrow", {
    inputs: (random, n) => [random.i8s(n), random.u8s(n), random.i16s(n), random.u16s(n)] as const,
    output: (length) => new Int16Array(length),
    width: 10,
    of: ([a, b, c, d]) => (i) => narrow(at(a, i), at(b, i), at(c, i), at(d, i)),
  });
  addElementwise(table, "packed", {
    inputs: (random, n) => [random.u32s(n), random.u32s(n)] as const,
    output: newWords,
    width: 14,
    of: ([a, b]) => (i) => packed(at(a, i), at(b, i)),
  });
  addElementwise(table, "add_wide", {
    inputs: (random, n) =>
      [random.u32s(4 * n), random.u32s(4 * n).map((x, i) => i % 3 === 0 ? 0xffffffff : x)] as const,
    output: newWords,
    width: 8,
    of: ([a, b]) => (i) => {
      const [x, y] = [words(a, i), words(b, i)];
      return [x + y, x - y].flatMap((value) => [0n, 32n, 64n, 96n].map((shift) => unsigned(value >> shift)));
    },
  });
  return table.cases;
}
