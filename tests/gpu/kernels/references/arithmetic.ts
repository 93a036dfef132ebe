/**
 * Floating-point operations as IEEE 754 says, for the references: fused multiply-add without double rounding,
 * directed rounding, bfloat16 and tf32.
 *
 * Owns two ways: quick ones for f32 by way of f64 with rounding to odd, and exact ones on BigInt for any width
 * and rounding. Invariant: every result is the infinitely precise one rounded once.
 */

/** A format: bits of the significand with the hidden one, smallest exponent of a normal number, largest. */
export interface FloatFormat {
  readonly precision: number;
  readonly exponentMin: number;
  readonly exponentMax: number;
}

export const F16: FloatFormat = { precision: 11, exponentMin: -14, exponentMax: 15 };
export const BF16: FloatFormat = { precision: 8, exponentMin: -126, exponentMax: 127 };
export const F32: FloatFormat = { precision: 24, exponentMin: -126, exponentMax: 127 };
export const F64: FloatFormat = { precision: 53, exponentMin: -1022, exponentMax: 1023 };

/** To nearest even, to zero, down, up. */
export type Rounding = "rn" | "rz" | "rd" | "ru";

/** A finite number: significand · 2^exponent, the significand signed. */
interface Exact {
  readonly significand: bigint;
  readonly exponent: number;
}

const scratch = new DataView(new ArrayBuffer(8));

/** a · b + c in single precision, rounded once. */
export function fmaf(a: number, b: number, c: number): number {
  return Math.fround(addToOdd(a * b, c));
}

/** a + b in double precision, the last bit set if anything was lost, so that rounding again is right. */
function addToOdd(a: number, b: number): number {
  const sum = a + b;
  if (!Number.isFinite(sum)) return sum;
  const bRounded = sum - a;
  const error = (a - (sum - bRounded)) + (b - bRounded);
  if (error === 0 || Number.isNaN(error)) return sum;
  scratch.setFloat64(0, sum);
  const bits = scratch.getBigInt64(0);
  if ((bits & 1n) === 1n) return sum;
  const grows = (error > 0) === (sum > 0);
  scratch.setBigInt64(0, grows ? bits + 1n : bits - 1n);
  return scratch.getFloat64(0);
}

/** a · b + c in double precision, rounded once. */
export function fma(a: number, b: number, c: number): number {
  return fmaIn(F64, "rn", a, b, c);
}

/** a · b + c in a format, rounded once as told. */
export function fmaIn(format: FloatFormat, rounding: Rounding, a: number, b: number, c: number): number {
  const plain = a * b + c;
  const isSpecial = !Number.isFinite(a) || !Number.isFinite(b) || !Number.isFinite(c);
  if (isSpecial) return Number.isFinite(a) && Number.isFinite(b) ? c : plain;
  const product = multiply(exactOf(a), exactOf(b));
  const sum = add(product, exactOf(c));
  if (sum.significand !== 0n) return roundTo(format, rounding, sum);
  // An exact zero: the sign of both if they agree, else + (− when rounding down).
  const productNegative = (Object.is(a, -0) || a < 0) !== (Object.is(b, -0) || b < 0);
  const cNegative = c < 0 || Object.is(c, -0);
  if (product.significand === 0n && productNegative === cNegative) return productNegative ? -0 : 0;
  return rounding === "rd" ? -0 : 0;
}

/** a + b in a format. */
export function addIn(format: FloatFormat, rounding: Rounding, a: number, b: number): number {
  return fmaIn(format, rounding, a, 1, b);
}

/** a · b in a format. */
export function mulIn(format: FloatFormat, rounding: Rounding, a: number, b: number): number {
  const plain = a * b;
  if (!Number.isFinite(a) || !Number.isFinite(b) || a === 0 || b === 0) return plain;
  return roundTo(format, rounding, multiply(exactOf(a), exactOf(b)));
}

/** a / b in a format. */
export function divIn(format: FloatFormat, rounding: Rounding, a: number, b: number): number {
  if (!Number.isFinite(a) || !Number.isFinite(b) || a === 0 || b === 0) return a / b;
  const [x, y] = [exactOf(a), exactOf(b)];
  // So many bits that the quotient has more than any format; the last tells whether there is a rest.
  const shift = 140n;
  const numerator = abs(x.significand) << shift;
  const denominator = abs(y.significand);
  const quotient = ((numerator / denominator) << 1n) | (numerator % denominator === 0n ? 0n : 1n);
  const isNegative = (x.significand < 0n) !== (y.significand < 0n);
  const exponent = x.exponent - y.exponent - Number(shift) - 1;
  return roundTo(format, rounding, { significand: isNegative ? -quotient : quotient, exponent });
}

/** The square root in a format. */
export function sqrtIn(format: FloatFormat, rounding: Rounding, a: number): number {
  if (!(a > 0) || a === Infinity) return Math.sqrt(a);
  let { significand, exponent } = exactOf(a);
  const shift = 200 + (exponent & 1);
  significand <<= BigInt(shift);
  exponent -= shift;
  const root = integerSqrt(significand);
  const rest = root * root === significand ? 0n : 1n;
  return roundTo(format, rounding, { significand: (root << 1n) | rest, exponent: exponent / 2 - 1 });
}

/** A number in a format. */
export function roundIn(format: FloatFormat, rounding: Rounding, value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  return roundTo(format, rounding, exactOf(value));
}

/** A whole number of any size in a format. */
export function fromInteger(format: FloatFormat, rounding: Rounding, value: bigint): number {
  return roundTo(format, rounding, { significand: value, exponent: 0 });
}

/** To an integer, as told; a zero has the sign of what it was. */
export function roundToInteger(rounding: Rounding, value: number): number {
  const rounded = roundMagnitude(rounding, value);
  return rounded === 0 && (value < 0 || Object.is(value, -0)) ? -0 : rounded;
}

function roundMagnitude(rounding: Rounding, value: number): number {
  if (!Number.isFinite(value)) return value;
  switch (rounding) {
    case "rz":
      return Math.trunc(value);
    case "rd":
      return Math.floor(value);
    case "ru":
      return Math.ceil(value);
    case "rn": {
      const below = Math.floor(value);
      const rest = value - below;
      if (rest < 0.5) return below;
      if (rest > 0.5) return below + 1;
      return below % 2 === 0 ? below : below + 1;
    }
  }
}

/** The bits of the nearest bfloat16. */
export function bf16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7fff;
  scratch.setFloat32(0, roundIn(BF16, "rn", value));
  return scratch.getUint16(0);
}

/** The number of a bfloat16. */
export function bf16Value(bits: number): number {
  scratch.setUint32(0, bits * 65536);
  return scratch.getFloat32(0);
}

/** To tf32, as cvt.rna does: to nearest, ties away from zero, 10 bits of fraction. */
export function tf32(value: number): number {
  if (!Number.isFinite(value)) return value;
  scratch.setFloat32(0, value);
  scratch.setUint32(0, (scratch.getUint32(0) + 0x1000) & 0xffffe000);
  return scratch.getFloat32(0);
}

function exactOf(value: number): Exact {
  if (value === 0) return { significand: 0n, exponent: 0 };
  scratch.setFloat64(0, value);
  const bits = scratch.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const significand = biased === 0 ? fraction : fraction | (1n << 52n);
  return { significand: value < 0 ? -significand : significand, exponent: Math.max(biased, 1) - 1075 };
}

function multiply(a: Exact, b: Exact): Exact {
  return { significand: a.significand * b.significand, exponent: a.exponent + b.exponent };
}

function add(a: Exact, b: Exact): Exact {
  if (a.significand === 0n) return b;
  if (b.significand === 0n) return a;
  const exponent = Math.min(a.exponent, b.exponent);
  const significand = (a.significand << BigInt(a.exponent - exponent)) +
    (b.significand << BigInt(b.exponent - exponent));
  return { significand, exponent };
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

function integerSqrt(value: bigint): bigint {
  let guess = 1n << BigInt(Math.ceil(bitLength(value) / 2));
  for (;;) {
    const next = (guess + value / guess) >> 1n;
    if (next >= guess) return guess;
    guess = next;
  }
}

function roundTo(format: FloatFormat, rounding: Rounding, value: Exact): number {
  const isNegative = value.significand < 0n;
  const magnitude = abs(value.significand);
  if (magnitude === 0n) return 0;
  const top = bitLength(magnitude) - 1 + value.exponent;
  const unit = Math.max(top, format.exponentMin) - format.precision + 1;
  const drop = unit - value.exponent;
  let kept: bigint;
  if (drop <= 0) {
    kept = magnitude << BigInt(-drop);
  } else {
    kept = magnitude >> BigInt(drop);
    const rest = magnitude - (kept << BigInt(drop));
    const half = 1n << BigInt(drop - 1);
    const isUp = rounding === "rn"
      ? rest > half || (rest === half && (kept & 1n) === 1n)
      : rest > 0n && rounding === (isNegative ? "rd" : "ru");
    if (isUp) kept += 1n;
  }
  const result = scale(kept, unit);
  const largest = scale((1n << BigInt(format.precision)) - 1n, format.exponentMax - format.precision + 1);
  const overflow = result > largest;
  const goesToInfinity = rounding === "rn" || rounding === (isNegative ? "rd" : "ru");
  const bounded = overflow ? (goesToInfinity ? Infinity : largest) : result;
  return isNegative ? -bounded : bounded;
}

/** significand · 2^exponent where that is a double; in two steps, since 2^exponent alone may not be. */
function scale(significand: bigint, exponent: number): number {
  const half = Math.trunc(exponent / 2);
  return Number(significand) * 2 ** half * 2 ** (exponent - half);
}
