/**
 * Doubles by integer arithmetic: fused multiply-add, division and root in every rounding mode.
 *
 * Owns what cannot be had from the engine's doubles: `fma` where the processor does not fuse, and the directed
 * roundings of all operations (a sum is `fma(a, 1, b)`). The mode is a number, see MODE; rounding down is rounding
 * up between two negations. Exactness matters here, speed does not. Invariant: results are those of IEEE 754,
 * subnormals, overflow and signs of zero included.
 */
import type { Formula, Value, Variable } from "./formula.ts";
import { helper } from "./formula.ts";
import type { Helper } from "./mod.ts";

/** Rounding modes as helpers take them. */
export const MODE = { rn: 0, rz: 1, rp: 2 } as const;

const FRACTION = (1n << 52n) - 1n;
const SIGN = 1n << 63n;
const INFINITY = 0x7ffn << 52n;

/** The significand with its leading bit at place 52, or 0. The value is that times 2^(exponentF64 - 1075). */
const significandF64: Helper = helper(["f64"], "i64", (f, x) => {
  const bits = f.let(x.reinterpret());
  const fraction = f.let(bits.and(FRACTION));
  const isNormal = bits.and(INFINITY).ne(0n);
  return isNormal.select(fraction.or(1n << 52n), fraction.shl(fraction.clz().sub(11n)));
});

const exponentF64: Helper = helper(["f64"], "i32", (f, x) => {
  const bits = f.let(x.reinterpret());
  const exponent = f.let(bits.shrU(52n).wrap().and(0x7ff));
  return exponent.eqz().select(f.i32(12).sub(bits.and(FRACTION).clz().wrap()), exponent);
});

/**
 * (sign bit, exponent, significand, mode): the double of `significand * 2^exponent`. The significand's leading bit
 * is at place 62, and its last bit is set if anything was cut off.
 */
const packF64: Helper = helper(
  ["i64", "i32", "i64", "i32"],
  "f64",
  (f, sign, exponent, significand, mode) => {
    const biased = f.let(exponent.add(62 + 1023));
    // Below the normal range, the significand moves to where its exponent is the smallest.
    f.if(biased.le(0), () => {
      const places = f.let(f.i32(1).sub(biased).extendU());
      const far = places.geU(63n);
      const lost = significand.shl(f.i64(64n).sub(places)).ne(0n).extendU();
      significand.set(far.select(f.i64(1n), significand.shrU(places).or(lost)));
      biased.set(1);
    });
    biased.set(biased.gt(2047).select(f.i32(2047), biased));
    const isAway = mode.eq(MODE.rp).and(sign.eqz());
    const nearest = significand.shrU(10n).and(1n).add(0x1ffn);
    const increment = mode.eqz().select(nearest, isAway.select(f.i64(0x3ffn), 0n));
    const kept = significand.add(increment).shrU(10n);
    const bits = f.let(biased.sub(1).extendU().shl(52n).add(kept));
    const isOver = bits.geU(INFINITY);
    const over = mode.eqz().or(isAway).select(f.i64(INFINITY), INFINITY - 1n);
    return isOver.select(over, bits).or(sign).reinterpret();
  },
);

function isFinite(x: Value): Value {
  return x.abs().lt(Infinity);
}

function signOf(x: Value): Value {
  return x.reinterpret().and(SIGN);
}

/** Number of 128 bits in two locals. */
interface Wide {
  readonly high: Variable;
  readonly low: Variable;
}

function wide(f: Formula): Wide {
  return { high: f.variable("i64"), low: f.variable("i64") };
}

/** Shifts right; the last bit is set if anything falls out. */
function shiftRightSticky(f: Formula, { high, low }: Wide, places: Variable): void {
  f.if(places.geU(128n), () => {
    low.set(high.or(low).ne(0n).extendU());
    high.set(0n);
  });
  f.if(places.geU(64n).and(places.ltU(128n)), () => {
    low.set(high.or(low.ne(0n).extendU()));
    const lost = f.let(f.i64(0n));
    f.if(places.gtU(64n), () => lost.set(high.shl(f.i64(128n).sub(places)).or(low.and(1n))));
    low.set(places.eq(64n).select(low, high.shrU(places.sub(64n)).or(lost.ne(0n).extendU())));
    high.set(0n);
  });
  f.if(places.gtU(0n).and(places.ltU(64n)), () => {
    const lost = f.let(low.shl(f.i64(64n).sub(places)).ne(0n).extendU());
    low.set(low.shrU(places).or(high.shl(f.i64(64n).sub(places))).or(lost));
    high.set(high.shrU(places));
  });
}

/** (a, b, c, mode): a * b + c. */
const fmaF64: Helper = helper(["f64", "f64", "f64", "i32"], "f64", (f, a, b, c, mode) => {
  const { code } = f;
  // An infinite or zero product is exact as it is; with finite factors, an infinite or NaN c is the result.
  const isSpecial = isFinite(a).and(isFinite(b)).eqz().or(a.eq(0)).or(b.eq(0));
  f.if(isSpecial, () => {
    a.mul(b).add(c).push();
    code.op("return");
  });
  f.if(isFinite(c).eqz(), () => {
    c.add(c).push();
    code.op("return");
  });
  const [first, second] = [f.let(f.call("significandF64", a)), f.let(f.call("significandF64", b))];
  first.set(first.shl(10n));
  second.set(second.shl(11n));
  // The product's leading bit is at place 125 or 126 of 128; that of c at 125.
  const [big, small] = [wide(f), wide(f)];
  big.high.set(f.call("mulHiU64", first, second));
  big.low.set(first.mul(second));
  small.high.set(f.call("significandF64", c).shl(9n));
  small.low.set(0n);
  const bigSign = f.let(signOf(a).xor(signOf(b)));
  const smallSign = f.let(signOf(c));
  const exponent = f.let(f.call("exponentF64", a).add(f.call("exponentF64", b)).sub(2 * 1075 + 21));
  const places = f.let(exponent.sub(f.call("exponentF64", c).sub(1075 + 73)).extendS());
  f.if(places.lt(0n).and(small.high.ne(0n)), () => {
    // c is the one that stays where it is.
    exponent.set(exponent.sub(places.wrap()));
    places.set(f.i64(0n).sub(places));
    swap(f, big.high, small.high);
    swap(f, big.low, small.low);
    swap(f, bigSign, smallSign);
  });
  f.if(small.high.or(small.low).ne(0n), () => shiftRightSticky(f, small, places));
  addSigned(f, big, bigSign, small, smallSign);
  f.if(big.high.or(big.low).eqz(), () => {
    // Parts that cancel make +0, whatever their signs, unless rounding down.
    f.f64(0).push();
    code.op("return");
  });
  return normalized(f, big, bigSign, exponent, mode);
});

function swap(f: Formula, a: Variable, b: Variable): void {
  const before = f.let(a);
  a.set(b);
  b.set(before);
}

/** Adds two numbers with signs into the first. */
function addSigned(f: Formula, sum: Wide, sumSign: Variable, other: Wide, otherSign: Variable): void {
  const before = f.let(sum.low);
  f.if(sumSign.eq(otherSign), () => {
    sum.low.set(sum.low.add(other.low));
    sum.high.set(sum.high.add(other.high).add(sum.low.ltU(before).extendU()));
  }, () => {
    sum.low.set(sum.low.sub(other.low));
    sum.high.set(sum.high.sub(other.high).sub(before.ltU(other.low).extendU()));
    f.if(sum.high.lt(0n), () => {
      sumSign.set(otherSign);
      sum.low.set(f.i64(0n).sub(sum.low));
      sum.high.set(f.i64(0n).sub(sum.high).sub(sum.low.ne(0n).extendU()));
    });
  });
}

/** The double of a number that is not zero, times 2^exponent. */
function normalized(
  f: Formula,
  { high, low }: Wide,
  sign: Variable,
  exponent: Variable,
  mode: Variable,
): Value {
  // One place free at the top.
  low.set(low.shrU(1n).or(high.shl(63n)).or(low.and(1n)));
  high.set(high.shrU(1n));
  exponent.set(exponent.add(1));
  f.if(high.eqz(), () => {
    high.set(low.shrU(1n));
    low.set(low.shl(63n));
    exponent.set(exponent.sub(63));
  });
  const places = f.let(high.clz().sub(1n));
  const top = high.shl(places).or(low.shrU(1n).shrU(f.i64(63n).sub(places)));
  const significand = f.let(top.or(low.shl(places).ne(0n).extendU()));
  return f.call("packF64", sign, exponent.add(64).sub(places.wrap()), significand, mode);
}

/** (a, b, mode): a / b, bit by bit. */
const divF64: Helper = helper(["f64", "f64", "i32"], "f64", (f, a, b, mode) => {
  const isSpecial = isFinite(a).and(isFinite(b)).eqz().or(a.eq(0)).or(b.eq(0));
  f.if(isSpecial, () => {
    a.div(b).push();
    f.code.op("return");
  });
  const [rest, divisor] = [f.let(f.call("significandF64", a)), f.let(f.call("significandF64", b))];
  const exponent = f.let(f.call("exponentF64", a).sub(f.call("exponentF64", b)));
  f.if(rest.ltU(divisor), () => {
    rest.set(rest.shl(1n));
    exponent.set(exponent.sub(1));
  });
  rest.set(rest.sub(divisor));
  const quotient = f.let(f.i64(1n));
  f.repeat(62, () => {
    rest.set(rest.shl(1n));
    quotient.set(quotient.shl(1n));
    f.if(rest.geU(divisor), () => {
      rest.set(rest.sub(divisor));
      quotient.set(quotient.or(1n));
    });
  });
  const significand = quotient.or(rest.ne(0n).extendU());
  return f.call("packF64", signOf(a).xor(signOf(b)), exponent.sub(62), significand, mode);
});

/** (a, mode): the square root, two bits of the radicand for each bit of the root. */
const sqrtF64: Helper = helper(["f64", "i32"], "f64", (f, a, mode) => {
  f.if(a.gt(0).and(isFinite(a)).eqz(), () => {
    a.sqrt().push();
    f.code.op("return");
  });
  const radicand = f.let(f.call("significandF64", a));
  const exponent = f.let(f.call("exponentF64", a).sub(1075));
  f.if(exponent.and(1), () => {
    radicand.set(radicand.shl(1n));
    exponent.set(exponent.sub(1));
  });
  const [rest, root] = [f.let(f.i64(0n)), f.let(f.i64(0n))];
  f.repeat(56, () => {
    rest.set(rest.shl(2n).or(radicand.shrU(52n).and(3n)));
    radicand.set(radicand.shl(2n));
    const trial = root.shl(2n).or(1n);
    f.if(rest.geU(trial), () => {
      rest.set(rest.sub(trial));
      root.set(root.shl(1n).or(1n));
    }, () => root.set(root.shl(1n)));
  });
  const significand = root.shl(7n).or(rest.ne(0n).extendU());
  return f.call("packF64", f.i64(0n), exponent.shrS(1).sub(29 + 7), significand, mode);
});

export const EXACT_DOUBLE_HELPERS = {
  significandF64,
  exponentF64,
  packF64,
  fmaF64,
  divF64,
  sqrtF64,
} as const satisfies Record<string, Helper>;
