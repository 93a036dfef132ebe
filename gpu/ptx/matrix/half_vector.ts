/**
 * Half precision four at a time: f16 to single and back, in vectors.
 *
 * Owns the same conversions as helpers/half.ts has for one value, with the same results. Halves stand in the low
 * bits of four i32 lanes. Invariant: rounding is to nearest even, a NaN becomes 0x7fff.
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

/** Pushes the singles of the halves in a local. */
export function pushWidened(code: Code, halves: number): void {
  const magnitude = code.temp("v128");
  code.get(halves);
  splat(code, 0x7fff);
  code.op("v128And");
  code.tee(magnitude);
  code.i32(13);
  code.op("i32x4Shl");
  splat(code, SCALE);
  code.op("f32x4Mul");
  // Infinities and NaNs came out as numbers.
  code.get(magnitude);
  splat(code, 0x7bff);
  code.op("i32x4GtS");
  splat(code, 0x7f80_0000);
  code.op("v128And", "v128Or");
  code.get(halves);
  splat(code, 0x8000);
  code.op("v128And");
  code.i32(16);
  code.op("i32x4Shl", "v128Or");
  code.release("v128", magnitude);
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
