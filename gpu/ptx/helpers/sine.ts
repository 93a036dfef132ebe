/**
 * Sine and cosine of singles, of any size.
 *
 * Owns the reduction of an angle to a quadrant and a rest, and the two functions of the rest. Angles up to 2^20
 * lose their multiple of pi/2 by Cody and Waite's method, in three parts of which the first two have 33 bits;
 * larger ones by Payne and Hanek's, with the bits of 2/pi that matter. Polynomials are made as in
 * approximate.ts. Invariant: the rest is right to about 2^-60 of a turn, so results have single's full precision.
 */
import type { Formula, Value, Variable } from "./formula.ts";
import { helper } from "./formula.ts";
import type { Helper } from "./mod.ts";

/** Angles from here on go the long way. */
const LARGE = 2 ** 20;
const HALF_PI = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21] as const;

/** 2/pi, 32 bits each, with a word of zeros before it. */
const TWO_OVER_PI = [
  ...[0n, 0xa2f9_836en, 0x4e44_1529n, 0xfc27_57d1n],
  ...[0xf534_ddc0n, 0xdb62_9599n, 0x3c43_9041n, 0xfe51_63abn],
];

/** (sin(r) - r) / r^3 and (cos(r) - 1) / r^2 as functions of r^2, for |r| <= pi/4: within 2^-42 and 2^-50. */
const SINE = [
  ...[-0.16666666666663885, 0.008333333331078323, -0.00019841266916110632],
  ...[2.7555990664728974e-6, -2.4805611712122475e-8],
];
const COSINE = [
  ...[-0.49999999999999967, 0.04166666666663091, -0.0013888888882125252],
  ...[2.4801582621951665e-5, -2.7555855220105783e-7, 2.066548384659679e-9],
];

/** Word `index + offset` of 2/pi, as an i64. */
function word(f: Formula, index: Variable, offset: number): Value {
  return [0, 1, 2, 3, 4].reduceRight<Value>((rest, at) => {
    const value = f.i64(TWO_OVER_PI[at + offset] ?? 0n);
    return at === 4 ? value : index.eq(at).select(value, rest);
  }, f.i64(0n));
}

/**
 * Reduces |x| = m * 2^e: m times 96 bits of 2/pi, from the one that stands for 2 turns down. Bits above it are
 * whole turns. Of the product modulo 2^96, two bits are the quadrant.
 */
function reduceLarge(f: Formula, x: Variable, quadrant: Variable, rest: Variable): void {
  const bits = f.let(x.reinterpret().and(0x7fff_ffff));
  const significand = f.let(bits.and(0x7f_ffff).or(0x80_0000).extendU());
  // The first bit that counts, after the word of zeros: e - 2 + 32.
  const first = f.let(bits.shrU(23).sub(150 + 2 - 32));
  const index = f.let(first.shrU(5));
  const shift = f.let(first.and(31).extendU());
  const words = [0, 1, 2, 3].map((offset) => f.let(word(f, index, offset)));
  const limbs = [0, 1, 2].map((at) => {
    const [high, low] = [words[at], words[at + 1]];
    if (high === undefined || low === undefined) throw new Error("Invariant: four words make three limbs");
    return f.let(high.shl(32n).or(low).shl(shift).shrU(32n));
  });
  const [high, middle, low] = limbs;
  if (high === undefined || middle === undefined || low === undefined) return;
  const second = f.let(significand.mul(middle).add(significand.mul(low).shrU(32n)));
  const top = significand.mul(high).add(second.shrU(32n));
  const product = f.let(top.shl(32n).or(second.and(0xffff_ffffn)));
  // The nearest quadrant; what is left is a signed fraction of one.
  quadrant.set(product.add(1n << 61n).shrU(62n).wrap());
  rest.set(product.shl(2n).toFloat("f64", true).mul(Math.PI / 2 * 2 ** -64));
  f.if(x.lt(0), () => {
    quadrant.set(f.i32(0).sub(quadrant));
    rest.set(rest.neg());
  });
}

/** (x, quadrants): the sine of x and so many right angles; one of them makes it the cosine. */
const sineF32: Helper = helper(["f32", "i32"], "f32", (f, x, quadrants) => {
  const [quadrant, rest] = [f.variable("i32"), f.variable("f64")];
  f.if(x.abs().lt(LARGE), () => {
    const wide = f.let(x.promote());
    const count = f.let(wide.mul(2 / Math.PI).nearest());
    const [first, second, third] = HALF_PI;
    quadrant.set(count.toInteger("i32", true));
    const reduced = wide.sub(count.mul(first)).sub(count.mul(second)).sub(count.mul(third));
    // A zero keeps its sign.
    rest.set(count.eq(0).select(wide, reduced));
  }, () => reduceLarge(f, x, quadrant, rest));
  quadrant.set(quadrant.add(quadrants));
  const square = f.let(rest.mul(rest));
  const result = f.variable("f64");
  f.if(
    quadrant.and(1),
    () => result.set(f.polynomial(square, COSINE).mul(square).add(1)),
    () => result.set(f.polynomial(square, SINE).mul(square).add(1).mul(rest)),
  );
  const signed = quadrant.and(2).select(result.neg(), result).demote();
  return x.abs().lt(Infinity).select(signed, NaN);
});

export const SINE_HELPERS = { sineF32 } as const satisfies Record<string, Helper>;
