/**
 * Roundings that WebAssembly lacks: towards zero, up and to odd.
 *
 * Owns the way from doubles to singles in each of them. Rounding down is rounding up between two negations.
 * A double that was rounded to odd keeps, in its last bit, that something was cut off, so that rounding it once
 * more to a narrower format is rounding the exact value (Boldo and Melquiond, "Emulation of FMA and correctly
 * rounded sums", 2008). Invariant: each helper is exact in its mode, subnormals and overflow included.
 */
import { helper } from "./formula.ts";
import type { Helper } from "./mod.ts";

/** The sum of two doubles, rounded to odd. They are such that it does not overflow. */
const sumOdd: Helper = helper(["f64", "f64"], "f64", (f, a, b) => {
  const sum = f.let(a.add(b));
  // Knuth's two-sum: the error of the addition, exactly. It is NaN if something is infinite.
  const virtual = f.let(sum.sub(a));
  const error = f.let(a.sub(sum.sub(virtual)).add(b.sub(virtual)));
  const bits = f.let(sum.reinterpret());
  // Inexact and even: the neighbour in the direction of the error is odd.
  f.if(error.abs().gt(0).and(bits.wrap().and(1).eqz()), () => {
    bits.set(bits.add(error.gt(0).eq(sum.gt(0)).select(f.i64(1n), -1n)));
  });
  return bits.reinterpret();
});

/** A double to the single nearest to it of those not farther from zero. */
const demoteRz: Helper = helper(["f64"], "f32", (f, x) => {
  const near = f.let(x.demote());
  return near.promote().abs().gt(x.abs()).select(near.reinterpret().sub(1).reinterpret(), near);
});

/** A double to the smallest single that is not below it. */
const demoteRp: Helper = helper(["f64"], "f32", (f, x) => {
  const near = f.let(x.demote());
  const bits = f.let(near.reinterpret());
  // The next single up has bits one more if it is positive, one less if negative.
  return near.promote().lt(x).select(bits.add(bits.shrS(31).or(1)).reinterpret(), near);
});

/** A double to a single, to odd. */
const demoteOdd: Helper = helper(["f64"], "f32", (f, x) => {
  const cut = f.let(f.call("demoteRz", x));
  return cut.reinterpret().or(cut.promote().ne(x)).reinterpret();
});

export const ROUNDING_HELPERS = {
  sumOdd,
  demoteRz,
  demoteRp,
  demoteOdd,
} as const satisfies Record<string, Helper>;
