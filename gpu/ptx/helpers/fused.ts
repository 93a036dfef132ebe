/**
 * Fused multiply-add, rounded once.
 *
 * Owns `fma` of singles where the processor does not fuse, and in the directed roundings everywhere: WebAssembly
 * has none but the relaxed vector one, and a self-test at start says whether that fuses (`ModuleParts.isFused`).
 * Doubles are exact_double.ts's. Invariant: the result is the correctly rounded one on every host.
 */
import { helper } from "./formula.ts";
import type { Helper } from "./mod.ts";

/** The product of two singles is exact as a double; the sum is left rounded to odd, for the last rounding. */
const fmaOddF32: Helper = helper(
  ["f32", "f32", "f32"],
  "f64",
  (f, a, b, c) => f.call("sumOdd", a.promote().mul(b.promote()), c.promote()),
);

const fmaF32: Helper = helper(
  ["f32", "f32", "f32"],
  "f32",
  (f, a, b, c) => f.call("fmaOddF32", a, b, c).demote(),
);

export const FUSED_HELPERS = {
  fmaOddF32,
  fmaF32,
} as const satisfies Record<string, Helper>;
