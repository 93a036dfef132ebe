/**
 * Elements of matrices for the tests of tensor core instructions: what bits mean, where they lie in registers,
 * random ones, and the product as the compiler promises it.
 *
 * Written from the figures of the PTX ISA (9.7.14.5) by elements, not by registers as the compiler has them.
 */

export type ElementName = keyof typeof BITS;

export const BITS = {
  f16: 16,
  bf16: 16,
  tf32: 32,
  f32: 32,
  f64: 64,
  s32: 32,
  s8: 8,
  u8: 8,
  s4: 4,
  u4: 4,
  b1: 1,
  e4m3: 8,
  e5m2: 8,
} as const;

const VIEW = new DataView(new ArrayBuffer(8));

/** The number that bits stand for. */
export function decode(type: ElementName, bits: bigint): number {
  switch (type) {
    case "f16":
      VIEW.setUint16(0, Number(bits));
      return VIEW.getFloat16(0);
    case "e5m2":
      VIEW.setUint16(0, Number(bits) << 8);
      return VIEW.getFloat16(0);
    case "bf16":
      VIEW.setUint32(0, Number(bits) << 16);
      return VIEW.getFloat32(0);
    case "tf32":
      VIEW.setUint32(0, Number(bits & 0xffff_e000n));
      return VIEW.getFloat32(0);
    case "f32":
      VIEW.setUint32(0, Number(bits));
      return VIEW.getFloat32(0);
    case "f64":
      VIEW.setBigUint64(0, bits);
      return VIEW.getFloat64(0);
    case "e4m3": {
      const [exponent, fraction] = [Number(bits) >> 3 & 15, Number(bits) & 7];
      const magnitude = exponent === 0 ? fraction / 512 : (1 + fraction / 8) * 2 ** (exponent - 7);
      return ((bits & 0x7fn) === 0x7fn ? NaN : magnitude) * ((bits & 0x80n) === 0n ? 1 : -1);
    }
    case "s32":
    case "s8":
    case "s4":
      return Number(BigInt.asIntN(BITS[type], bits));
    default:
      return Number(bits);
  }
}

/** The bits of a number, rounded to the type. */
export function encode(type: "f16" | "f32" | "f64" | "s32", value: number): bigint {
  switch (type) {
    case "f16":
      VIEW.setFloat16(0, value);
      return Number.isNaN(value) ? 0x7fffn : BigInt(VIEW.getUint16(0));
    case "f32":
      VIEW.setFloat32(0, value);
      return BigInt(VIEW.getUint32(0));
    case "f64":
      VIEW.setFloat64(0, value);
      return VIEW.getBigUint64(0);
    case "s32":
      return BigInt.asUintN(32, BigInt(value));
  }
}

/** Random bits of an element; `isWild` ones may be infinities, NaNs and the smallest numbers. */
export function randomElement(type: ElementName, next: () => bigint, isWild: boolean): bigint {
  const bits = BigInt.asUintN(BITS[type], next());
  if (isWild || /^[sub]\d/.test(type)) return bits;
  // Exponents near 1, so that sums lose bits but no number is lost.
  const [width, start] = {
    f16: [10n, 0x3400n],
    bf16: [7n, 0x3e00n],
    f32: [23n, 0x3e00_0000n],
    tf32: [23n, 0x3e00_0000n],
    f64: [52n, 0x3fc0_0000_0000_0000n],
    e4m3: [3n, 0x28n],
    e5m2: [2n, 0x34n],
  }[type as "f16"] as [bigint, bigint];
  const sign = (bits & 1n) << BigInt(BITS[type] - 1);
  const exponent = (next() & 3n) << width;
  return sign | (start + exponent + (bits >> 1n & ((1n << width) - 1n)));
}

/** Row and column of element `index` of a lane. */
export type Place = (lane: number, index: number) => readonly [row: number, column: number];

/** In A of 8 or 16 rows, by elements in one register. */
export function placeInA(rows: number, perRegister: number): Place {
  return (lane, index) => {
    const [group, inGroup] = [lane >> 2, lane & 3];
    const within = index % perRegister;
    if (rows === 8) return [group, inGroup * perRegister + within + 4 * (index - within)];
    // Rows change first, from the upper eight to the lower eight, then columns.
    const isLower = Math.floor(index / perRegister) % 2 === 1;
    const columnBlock = Math.floor(index / (2 * perRegister));
    return [group + (isLower ? 8 : 0), inGroup * perRegister + within + columnBlock * 4 * perRegister];
  };
}

export function placeInB(perRegister: number): Place {
  return (lane, index) => {
    const within = index % perRegister;
    return [(lane & 3) * perRegister + within + 4 * (index - within), lane >> 2];
  };
}

export const placeInC: Place = (lane, index) => [
  (lane >> 2) + (index >= 2 ? 8 : 0),
  2 * (lane & 3) + (index & 1),
];

export interface Extents {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Row by row. */
export type Matrix = readonly number[];

export type Step = (a: number, b: number, sum: number) => number;

export const STEPS = {
  // Both roundings, to double and to single, are one: see product.ts.
  f32: (a, b, sum) => Math.fround(sum + a * b),
  f16: (a, b, sum) => Math.fround(sum + a * b),
  s32: (a, b, sum) => sum + a * b,
  xor: (a, b, sum) => sum + (a ^ b),
  and: (a, b, sum) => sum + (a & b),
} as const satisfies Readonly<Record<string, Step>>;

/** Each result starts with C and adds products in rising order of k. */
export function multiply({ m, n, k }: Extents, step: Step, a: Matrix, b: Matrix, c: Matrix): number[] {
  const result: number[] = [];
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = c[row * n + column] ?? 0;
      for (let each = 0; each < k; each++) sum = step(a[row * k + each] ?? 0, b[each * n + column] ?? 0, sum);
      result.push(sum);
    }
  }
  return result;
}
