/**
 * Exact arithmetic: sums, products, fused products, quotients and roots of decoded values.
 *
 * Owns the IEEE 754 rules for zeros, infinities and NaN. Each function answers the bits in the format, rounded
 * once. Invariant: a sum that is exactly zero is negative only when rounding down, or when both parts were
 * negative zeros.
 */
import {
  bitLength,
  decode,
  type Exact,
  type Finite,
  finite,
  type FloatFormat,
  infinite,
  isZero,
  NOT_A_NUMBER,
  round,
  type RoundingMode,
  zero,
} from "./softfloat.ts";

function signed(value: Finite): bigint {
  return value.isNegative ? -value.significand : value.significand;
}

export function sumOf(a: Exact, b: Exact, mode: RoundingMode): Exact {
  if (a.kind === "nan" || b.kind === "nan") return NOT_A_NUMBER;
  if (a.kind === "infinite") return b.kind === "infinite" && a.isNegative !== b.isNegative ? NOT_A_NUMBER : a;
  if (b.kind === "infinite") return b;
  if (isZero(a) && isZero(b)) {
    return zero(a.isNegative === b.isNegative ? a.isNegative : mode === "rm");
  }
  // Parts that are far below the other one still count as more than nothing; shifting them in is exact.
  const exponent = Math.min(a.exponent, b.exponent);
  const total = (signed(a) << BigInt(a.exponent - exponent)) + (signed(b) << BigInt(b.exponent - exponent));
  if (total === 0n) return zero(mode === "rm");
  return finite(total < 0n, total < 0n ? -total : total, exponent);
}

export function productOf(a: Exact, b: Exact): Exact {
  if (a.kind === "nan" || b.kind === "nan") return NOT_A_NUMBER;
  const isNegative = a.isNegative !== b.isNegative;
  if (a.kind === "infinite") return isZero(b) ? NOT_A_NUMBER : infinite(isNegative);
  if (b.kind === "infinite") return isZero(a) ? NOT_A_NUMBER : infinite(isNegative);
  return finite(isNegative, a.significand * b.significand, a.exponent + b.exponent);
}

export function addBits(format: FloatFormat, mode: RoundingMode, a: bigint, b: bigint): bigint {
  return round(format, mode, sumOf(decode(format, a), decode(format, b), mode));
}

export function mulBits(format: FloatFormat, mode: RoundingMode, a: bigint, b: bigint): bigint {
  return round(format, mode, productOf(decode(format, a), decode(format, b)));
}

export function fmaBits(format: FloatFormat, mode: RoundingMode, a: bigint, b: bigint, c: bigint): bigint {
  const product = productOf(decode(format, a), decode(format, b));
  return round(format, mode, sumOf(product, decode(format, c), mode));
}

export function divBits(format: FloatFormat, mode: RoundingMode, a: bigint, b: bigint): bigint {
  const x = decode(format, a);
  const y = decode(format, b);
  if (x.kind === "nan" || y.kind === "nan") return format.nan;
  const isNegative = x.isNegative !== y.isNegative;
  if (x.kind === "infinite") {
    return round(format, mode, y.kind === "infinite" ? NOT_A_NUMBER : infinite(isNegative));
  }
  if (y.kind === "infinite") return round(format, mode, zero(isNegative));
  if (y.significand === 0n) {
    return round(format, mode, x.significand === 0n ? NOT_A_NUMBER : infinite(isNegative));
  }
  if (x.significand === 0n) return round(format, mode, zero(isNegative));
  const shift = Math.max(0, format.precision + 2 + bitLength(y.significand) - bitLength(x.significand));
  const dividend = x.significand << BigInt(shift);
  const quotient = finite(isNegative, dividend / y.significand, x.exponent - y.exponent - shift);
  return round(format, mode, quotient, dividend % y.significand !== 0n);
}

/** The largest integer whose square is not above the value. */
function integerRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt(Math.ceil(bitLength(value) / 2));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function sqrtBits(format: FloatFormat, mode: RoundingMode, a: bigint): bigint {
  const x = decode(format, a);
  if (x.kind === "nan" || isZero(x)) return x.kind === "nan" ? format.nan : a;
  if (x.isNegative) return format.nan;
  if (x.kind === "infinite") return a;
  let shift = Math.max(0, 2 * format.precision + 4 - bitLength(x.significand));
  if ((x.exponent - shift) % 2 !== 0) shift++;
  const radicand = x.significand << BigInt(shift);
  const root = integerRoot(radicand);
  return round(format, mode, finite(false, root, (x.exponent - shift) / 2), root * root !== radicand);
}
