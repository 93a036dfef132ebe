/**
 * Half precision: f16 and bf16 to and from single and double, as bits in the low half of an i32.
 *
 * Owns the conversions in every rounding. Those from double round to odd on the way, so that the value is
 * rounded once in effect (see rounding.ts). Invariant: a NaN becomes 0x7fff, the canonical one of both formats
 * (PTX ISA 9.7.4), and the upper half of a result is zero.
 */
import type { Formula, Value, Variable } from "./formula.ts";
import { helper } from "./formula.ts";
import type { Helper } from "./mod.ts";

/** Exponents of f32 are 127 - 15 above those of f16. */
const BIAS = (127 - 15) << 23;
/** Single bits of 2^16, beyond every f16, and of 2^-14, its smallest normal number. */
const F16_BEYOND = 0x4780_0000;
const F16_NORMAL = 0x3880_0000;
const F32_INFINITY = 0x7f80_0000;

const f16ToF32: Helper = helper(["i32"], "f32", (f, half) => {
  const bits = f.let(half.and(0x7fff));
  // A subnormal becomes the fraction of a number from 0.5 on, which is then taken away.
  const small = bits.or(0x3f00_0000).reinterpret().sub(0.5);
  const large = bits.shl(13).add(bits.geU(0x7c00).select(f.i32(2 * BIAS), BIAS)).reinterpret();
  return bits.ltU(0x0400).select(small, large).copysign(half.shl(16).reinterpret());
});

function signOf(bits: Value): Value {
  return bits.shrU(16).and(0x8000);
}

/** To nearest. */
const f32ToF16: Helper = helper(["f32"], "i32", (f, x) => {
  const bits = f.let(x.reinterpret());
  const magnitude = f.let(bits.and(0x7fff_ffff));
  const result = f.variable("i32");
  f.if(magnitude.sub(F16_NORMAL).ltU(F16_BEYOND - F16_NORMAL), () => {
    const odd = magnitude.shrU(13).and(1);
    result.set(magnitude.add(0xfff - BIAS).add(odd).shrU(13));
  }, () => {
    f.if(magnitude.ltU(F16_NORMAL), () => {
      // The engine rounds: units of the sum's last place are those of f16's subnormals.
      result.set(magnitude.reinterpret().add(0.5).reinterpret().sub(0x3f00_0000));
    }, () => result.set(magnitude.gtU(F32_INFINITY).select(f.i32(0x7fff), f.i32(0x7c00).or(signOf(bits)))));
  });
  return magnitude.gtU(F32_INFINITY).select(result, result.or(signOf(bits)));
});

/** Whether a mode (1 to zero, 2 up, 3 down: see `TOWARD`) rounds away from zero. */
function isAway(f: Formula, mode: Variable, bits: Value): Value {
  return mode.eq(bits.lt(0).select(f.i32(TOWARD.rm), TOWARD.rp));
}

/** Directed roundings, as the helpers to half types take them. */
export const TOWARD = { rz: 1, rp: 2, rm: 3 } as const;

/** (x, mode). */
const f32ToF16Toward: Helper = helper(["f32", "i32"], "i32", (f, x, mode) => {
  const bits = f.let(x.reinterpret());
  const magnitude = f.let(bits.and(0x7fff_ffff));
  const away = f.let(isAway(f, mode, bits));
  const result = f.variable("i32");
  f.if(magnitude.geU(F32_INFINITY), () => {
    result.set(magnitude.gtU(F32_INFINITY).select(f.i32(0x7fff), f.i32(0x7c00).or(signOf(bits))));
  }, () => {
    f.if(magnitude.ltU(F16_NORMAL), () => {
      const units = f.let(magnitude.reinterpret().mul(2 ** 24));
      result.set(away.select(units.ceil(), units.floor()).toInteger("i32", true));
    }, () => {
      const kept = f.let(magnitude.sub(BIAS).add(away.select(f.i32(0x1fff), 0)).shrU(13));
      result.set(kept.geU(0x7c00).select(away.select(f.i32(0x7c00), 0x7bff), kept));
    });
    result.set(result.or(signOf(bits)));
  });
  return result;
});

/** To nearest: the upper half, rounded. */
const f32ToBf16: Helper = helper(["f32"], "i32", (f, x) => {
  const bits = f.let(x.reinterpret());
  const rounded = bits.add(bits.shrU(16).and(1).add(0x7fff)).shrU(16);
  return x.eq(x).select(rounded, f.i32(0x7fff));
});

/** (x, mode). */
const f32ToBf16Toward: Helper = helper(["f32", "i32"], "i32", (f, x, mode) => {
  const bits = f.let(x.reinterpret());
  const rounded = bits.add(isAway(f, mode, bits).select(f.i32(0xffff), 0)).shrU(16);
  return x.eq(x).select(rounded, f.i32(0x7fff));
});

function fromDouble(name: "f32ToF16" | "f32ToBf16"): Helper {
  return helper(["f64"], "i32", (f, x) => f.call(name, f.call("demoteOdd", x)));
}

const f64ToF16: Helper = fromDouble("f32ToF16");
const f64ToBf16: Helper = fromDouble("f32ToBf16");

export const HALF_HELPERS = {
  f16ToF32,
  f32ToF16,
  f32ToF16Toward,
  f32ToBf16,
  f32ToBf16Toward,
  f64ToF16,
  f64ToBf16,
} as const satisfies Record<string, Helper>;
