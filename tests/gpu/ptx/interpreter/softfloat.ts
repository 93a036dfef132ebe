/**
 * Softfloat: floating-point values as exact integers, and the one rounding that everything goes through.
 *
 * Owns formats, decoding and `round`. An exact value is `significand * 2^exponent` with a sign, and a flag
 * that says that a little more was cut off below. Invariant: `round` is correct for every format, mode and
 * value, subnormals and overflow included; no double takes part in it.
 */

/** How an inexact value becomes one of the format: nearest even, to zero, down, up, nearest away. */
export type RoundingMode = "rn" | "rz" | "rm" | "rp" | "rna";

/** A binary floating-point format. */
export interface FloatFormat {
  readonly bits: number;
  /** Bits of the significand, the hidden one included. */
  readonly precision: number;
  /** Largest exponent of the leading bit, which is also the bias. */
  readonly bias: number;
  /** The NaN that arithmetic makes. */
  readonly nan: bigint;
}

export const F16: FloatFormat = { bits: 16, precision: 11, bias: 15, nan: 0x7fffn };
export const BF16: FloatFormat = { bits: 16, precision: 8, bias: 127, nan: 0x7fffn };
/** TF32 kept in 32 bits: the exponent of F32 and 10 bits of fraction, 13 zeros below. */
export const TF32: FloatFormat = { bits: 19, precision: 11, bias: 127, nan: 0x3ffffn };
export const F32: FloatFormat = { bits: 32, precision: 24, bias: 127, nan: 0x7fff_ffffn };
export const F64: FloatFormat = { bits: 64, precision: 53, bias: 1023, nan: 0x7ff8_0000_0000_0000n };

/** A decoded value. */
export type Exact =
  | { readonly kind: "nan" }
  | { readonly kind: "infinite"; readonly isNegative: boolean }
  | {
    readonly kind: "finite";
    readonly isNegative: boolean;
    readonly significand: bigint;
    readonly exponent: number;
  };

export type Finite = Exact & { readonly kind: "finite" };

export const NOT_A_NUMBER: Exact = { kind: "nan" };

export function infinite(isNegative: boolean): Exact {
  return { kind: "infinite", isNegative };
}

export function finite(isNegative: boolean, significand: bigint, exponent: number): Finite {
  return { kind: "finite", isNegative, significand, exponent };
}

export function zero(isNegative: boolean): Finite {
  return finite(isNegative, 0n, 0);
}

/** An integer as an exact value. */
export function fromInteger(value: bigint): Finite {
  return finite(value < 0n, value < 0n ? -value : value, 0);
}

export function isZero(value: Exact): boolean {
  return value.kind === "finite" && value.significand === 0n;
}

/** Bits needed for a positive integer. */
export function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const text = value.toString(16);
  return 4 * (text.length - 1) + (32 - Math.clz32(parseInt(text.charAt(0), 16)));
}

/** What the bits of a format mean. */
export function decode(format: FloatFormat, bits: bigint): Exact {
  const fractionBits = BigInt(format.precision - 1);
  const fraction = bits & ((1n << fractionBits) - 1n);
  const top = (1n << BigInt(format.bits - format.precision)) - 1n;
  const biased = (bits >> fractionBits) & top;
  const isNegative = ((bits >> BigInt(format.bits - 1)) & 1n) === 1n;
  if (biased === top) return fraction === 0n ? infinite(isNegative) : NOT_A_NUMBER;
  const lowest = 1 - format.bias - (format.precision - 1);
  if (biased === 0n) return finite(isNegative, fraction, lowest);
  return finite(isNegative, fraction | (1n << fractionBits), Number(biased) - 1 + lowest);
}

function signBit(format: FloatFormat, isNegative: boolean): bigint {
  return isNegative ? 1n << BigInt(format.bits - 1) : 0n;
}

/** Bits of the infinity of the format. */
function infinityBits(format: FloatFormat): bigint {
  return ((1n << BigInt(format.bits - format.precision)) - 1n) << BigInt(format.precision - 1);
}

/** Whether a value between two neighbours goes to the one farther from zero. */
function goesUp(
  mode: RoundingMode,
  isNegative: boolean,
  kept: bigint,
  twiceRest: bigint,
  unit: bigint,
): boolean {
  switch (mode) {
    case "rn":
      return twiceRest > unit || (twiceRest === unit && (kept & 1n) === 1n);
    case "rna":
      return twiceRest >= unit;
    case "rz":
      return false;
    case "rm":
      return isNegative;
    case "rp":
      return !isNegative;
  }
}

/** An integer `value / 2^shift` rounded by the mode; `isSticky` says that more was cut off before. */
export function roundShift(
  value: bigint,
  shift: number,
  mode: RoundingMode,
  isNegative: boolean,
  isSticky = false,
): bigint {
  // A sticky bit below everything else keeps ties and exact values apart from those slightly above.
  const exact = (value << 1n) | (isSticky ? 1n : 0n);
  const places = shift + 1;
  if (places <= 0) return exact << BigInt(-places);
  const unit = 1n << BigInt(places);
  const kept = exact >> BigInt(places);
  const rest = exact & (unit - 1n);
  if (rest === 0n) return kept;
  return goesUp(mode, isNegative, kept, 2n * rest, unit) ? kept + 1n : kept;
}

/** The bits of the format nearest to the value in the sense of the mode. */
export function round(format: FloatFormat, mode: RoundingMode, value: Exact, isSticky = false): bigint {
  if (value.kind === "nan") return format.nan;
  const sign = signBit(format, value.isNegative);
  if (value.kind === "infinite") return sign | infinityBits(format);
  const { significand, isNegative } = value;
  if (significand === 0n && !isSticky) return sign;
  const lowest = 1 - format.bias - (format.precision - 1);
  const leading = value.exponent + bitLength(significand) - 1;
  const exponent = Math.max(leading - (format.precision - 1), lowest);
  let kept = roundShift(significand, exponent - value.exponent, mode, isNegative, isSticky);
  let biased = exponent - lowest + 1;
  if (kept >> BigInt(format.precision) > 0n) {
    kept >>= 1n;
    biased += 1;
  }
  if (biased >= 2 * format.bias + 1) {
    const toInfinity = mode === "rn" || mode === "rna" || (mode === "rm" && isNegative) ||
      (mode === "rp" && !isNegative);
    return sign | (toInfinity ? infinityBits(format) : infinityBits(format) - 1n);
  }
  // Subnormals have exponent field 0 and no hidden bit; adding lets a carry move them into the normal range.
  return sign | ((BigInt(biased - 1) << BigInt(format.precision - 1)) + kept);
}
