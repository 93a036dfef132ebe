/**
 * Approximations of singles: powers of two, logarithm to base two, hyperbolic tangent (PTX ISA 9.7.3).
 *
 * Owns functions that PTX calls approximate. They are computed in double precision to about 2^-40 and rounded
 * to single, so that nearly all results are the correctly rounded ones, which is more than the ISA asks for.
 * Polynomials are Chebyshev interpolations of the function on the interval, computed with 60 digits and rounded
 * to double; their relative errors with the coefficients as they stand were measured. Invariant: special values
 * are those of the ISA's tables.
 */
import { helper } from "./formula.ts";
import type { Helper } from "./mod.ts";

/** 2^r for |r| <= 1/2, within 2^-39.7. */
const EXP2 = [
  ...[1, 0.6931471805459335, 0.2402265069581299, 0.05550410941205933, 0.009618129159402558],
  ...[0.0013333450568000645, 0.00015403455852453838, 1.5310079402249296e-5, 1.3255224878668817e-6],
];

/** 2^x as a double, for any x that is not NaN; beyond single's range by far, it may be that of a nearer one. */
const exp2Wide: Helper = helper(["f64"], "f64", (f, x) => {
  // Within these bounds the power is a normal double; beyond them, singles are infinite or zero.
  const held = f.let(x.max(-1000).min(1000));
  const whole = f.let(held.nearest());
  const power = whole.toInteger("i64", true).add(1023n).shl(52n).reinterpret();
  return f.polynomial(f.let(held.sub(whole)), EXP2).mul(power);
});

const exp2F32: Helper = helper(["f32"], "f32", (f, x) => f.call("exp2Wide", x.promote()).demote());

/** log2((1 + s) / (1 - s)) / s as a function of s^2, for numbers between the roots of 1/2 and 2, within 2^-45. */
const LOG2 = [
  ...[2.885390081777851, 0.9617966941122649, 0.5770779426603044, 0.41220922406110433],
  ...[0.31990680380701336, 0.28288502340748234],
];
/** Bits of the double nearest to the root of 1/2. */
const ROOT_HALF = 0x3fe6_a09e_667f_3bcdn;

const log2F32: Helper = helper(["f32"], "f32", (f, x) => {
  const bits = f.let(x.promote().reinterpret());
  // x = m * 2^exponent with m from the root of 1/2 up to that of 2: near 1 nothing cancels.
  const exponent = f.let(bits.sub(ROOT_HALF).shrS(52n));
  const m = f.let(bits.sub(exponent.shl(52n)).reinterpret());
  const s = f.let(m.sub(1).div(m.add(1)));
  const series = f.polynomial(f.let(s.mul(s)), LOG2).mul(s);
  const result = exponent.toFloat("f64", true).add(series).demote();
  const beyond = x.eq(0).select(f.f32(-Infinity), x.gt(0).select(x, NaN));
  return x.gt(0).and(x.lt(Infinity)).select(result, beyond);
});

/** (tanh(r) - r) / r^3 as a function of r^2, for |r| <= 0.55; tanh itself within 2^-33. */
const TANH = [
  ...[-0.3333333329502591, 0.13333324200007313, -0.0539647004451583],
  ...[0.021818449128639904, -0.00852633305780133, 0.0025263907105745136],
];
const TANH_SMALL = 0.55;

const tanhF32: Helper = helper(["f32"], "f32", (f, x) => {
  const wide = f.let(x.promote().abs());
  const result = f.variable("f64");
  f.if(wide.lt(TANH_SMALL), () => {
    const square = f.let(wide.mul(wide));
    result.set(f.polynomial(square, TANH).mul(square).mul(wide).add(wide));
  }, () => {
    const power = f.call("exp2Wide", wide.mul(2 * Math.LOG2E));
    result.set(f.f64(1).sub(f.f64(2).div(power.add(1))));
  });
  return result.demote().copysign(x);
});

export const APPROXIMATE_HELPERS = {
  exp2Wide,
  exp2F32,
  log2F32,
  tanhF32,
} as const satisfies Record<string, Helper>;
