/**
 * Half precision four at a time: f16 to single and back, in vectors.
 *
 * Owns the same conversions as helpers/half.ts has for one value, with the same results. Halves stand in the
 * low bits of four i32 lanes. Invariant: rounding is to nearest even, a NaN becomes 0x7fff.
 */
import type { Code } from "../wasm/code.ts";

const BIAS = (127 - 15) << 23;
const F16_BEYOND = 0x4780_0000;
const F16_NORMAL = 0x3880_0000;
/** 2^112, which takes an f16's exponent to that of a single, subnormals included. */
const SCALE = 0x7780_0000;

function splat(code: Code, bits: number): void {
  code.v128([bits, bits, bits, bits]);
}

/** Pushes the singles of four halves, sign-extended to 32 bits in a local. */
export function pushWidened(code: Code, halves: number): void {
  pushScaled(code, halves);
  // Infinities and NaNs came out as numbers: their exponent is the largest.
  code.get(halves);
  splat(code, 0x7c00);
  code.op("v128And");
  splat(code, 0x7c00);
  code.op("i32x4Eq");
  splat(code, 0x7f80_0000);
  code.op("v128And", "v128Or");
}

/** As `pushWidened`, for halves that are numbers. */
function pushScaled(code: Code, halves: number): void {
  code.get(halves);
  code.i32(13);
  code.op("i32x4Shl");
  // Of the copies of the sign only the first stays; the exponent is in its place, and too small by 112.
  splat(code, 0x8fff_e000);
  code.op("v128And");
  splat(code, SCALE);
  code.op("f32x4Mul");
}

/** Writes the singles of the eight halves in a local to two others, lower ones first. */
export function widenEight(code: Code, packed: number, into: readonly number[]): void {
  const halves = code.temp("v128");
  const each = (push: (code: Code, halves: number) => void): void => {
    (["i32x4ExtendLowI16x8S", "i32x4ExtendHighI16x8S"] as const).forEach((op, index) => {
      code.get(packed);
      code.op(op);
      code.set(halves);
      push(code, halves);
      code.set(into[index] ?? 0);
    });
  };
  // Most vectors have neither infinities nor NaNs, which cost as much again.
  code.get(packed);
  splat(code, 0x7c00_7c00);
  code.op("v128And");
  splat(code, 0x7c00_7c00);
  code.op("i16x8Eq", "v128AnyTrue");
  code.if();
  each(pushWidened);
  code.else();
  each(pushScaled);
  code.end();
  code.release("v128", halves);
}

/** Pushes the halves nearest to the singles in a local. */
export function pushNarrowed(code: Code, singles: number): void {
  const magnitude = code.temp("v128");
  code.get(singles);
  splat(code, 0x7fff_ffff);
  code.op("v128And");
  code.set(magnitude);
  splat(code, 0x7fff);
  splat(code, 0x7c00);
  // The sum with 0.5 rounds to units of f16's subnormals.
  code.get(magnitude);
  splat(code, 0x3f00_0000);
  code.op("f32x4Add");
  splat(code, 0x3f00_0000);
  code.op("i32x4Sub");
  code.get(magnitude);
  splat(code, 0xfff - BIAS);
  code.op("i32x4Add");
  code.get(magnitude);
  code.i32(13);
  code.op("i32x4ShrU");
  splat(code, 1);
  code.op("v128And", "i32x4Add");
  code.i32(13);
  code.op("i32x4ShrU");
  code.get(magnitude);
  splat(code, F16_NORMAL);
  code.op("i32x4LtS", "v128Bitselect");
  code.get(magnitude);
  splat(code, F16_BEYOND - 1);
  code.op("i32x4GtS", "v128Bitselect");
  code.get(singles);
  code.i32(16);
  code.op("i32x4ShrU");
  splat(code, 0x8000);
  code.op("v128And", "v128Or");
  code.get(magnitude);
  splat(code, 0x7f80_0000);
  code.op("i32x4GtS", "v128Bitselect");
  code.release("v128", magnitude);
}
