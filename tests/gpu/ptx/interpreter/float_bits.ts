/**
 * Float bits: numbers of JavaScript to bits of a format and back.
 *
 * Owns the conversions and the exact results of single-precision arithmetic in the default rounding, which
 * doubles give cheaply. Invariant: everything here is exact or correctly rounded.
 */
import { decode, F16, F32, F64, type FloatFormat, round, type RoundingMode } from "./softfloat.ts";
import { BF16 } from "./softfloat.ts";

const VIEW = new DataView(new ArrayBuffer(8));

export function bitsOfSingle(value: number): number {
  VIEW.setFloat32(0, value);
  return VIEW.getUint32(0);
}

export function singleOfBits(bits: number): number {
  VIEW.setUint32(0, bits);
  return VIEW.getFloat32(0);
}

export function bitsOfDouble(value: number): bigint {
  VIEW.setFloat64(0, value);
  return VIEW.getBigUint64(0);
}

export function doubleOfBits(bits: bigint): number {
  VIEW.setBigUint64(0, bits);
  return VIEW.getFloat64(0);
}

/** The number that bits of the format stand for; every format here fits a double. */
export function numberOf(format: FloatFormat, bits: number): number {
  const value = decode(format, BigInt(bits));
  if (value.kind === "nan") return Number.NaN;
  const sign = value.isNegative ? -1 : 1;
  if (value.kind === "infinite") return sign * Number.POSITIVE_INFINITY;
  return sign * Number(value.significand) * 2 ** value.exponent;
}

/** A number rounded to bits of the format. */
export function bitsOfNumber(format: FloatFormat, value: number, mode: RoundingMode = "rn"): number {
  return Number(round(format, mode, decode(F64, bitsOfDouble(value))));
}

export function halfOfBits(bits: number): number {
  return numberOf(F16, bits);
}

export function brainOfBits(bits: number): number {
  return numberOf(BF16, bits);
}

/** The neighbour of a finite, nonzero double, away from zero or towards it. */
function neighbour(value: number, awayFromZero: boolean): number {
  VIEW.setFloat64(0, value);
  VIEW.setBigInt64(0, VIEW.getBigInt64(0) + (awayFromZero ? 1n : -1n));
  return VIEW.getFloat64(0);
}

/**
 * `a * b + c` of singles, rounded once to nearest. The product is exact in a double; the sum is rounded to odd
 * there, which a second rounding to single cannot spoil.
 */
export function fusedSingle(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  if (!Number.isFinite(sum)) return sum;
  const back = sum - product;
  const error = product - (sum - back) + (c - back);
  if (error === 0) return Math.fround(sum);
  VIEW.setFloat64(0, sum);
  if ((VIEW.getUint32(4) & 1) === 1) return Math.fround(sum);
  return Math.fround(neighbour(sum, (error > 0) === (sum > 0)));
}

/** Applies an exact function of bits to singles. */
export function throughBits(
  format: FloatFormat,
  fn: (...bits: bigint[]) => bigint,
): (...values: number[]) => number {
  if (format === F32) {
    return (...values) => singleOfBits(Number(fn(...values.map((each) => BigInt(bitsOfSingle(each))))));
  }
  return (...values) => doubleOfBits(fn(...values.map(bitsOfDouble)));
}
