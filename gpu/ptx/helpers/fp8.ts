/**
 * Eight-bit floats: e4m3 and e5m2 (PTX ISA 5.2.3) from single and to half.
 *
 * Owns the conversions of one value, as bits in the low byte of an i32. e4m3 has no infinity, and one NaN of each
 * sign; e5m2 is the upper byte of an f16. Invariant: to eight bits, a value is held to the largest finite one
 * and rounded once to nearest (`.rn.satfinite`, the only mode that PTX has); NaN becomes 0x7f.
 */
import { helper } from "./formula.ts";
import type { Helper } from "./mod.ts";

/** Bits of fraction, the exponent's bias and the largest value. */
interface Format {
  readonly fraction: number;
  readonly bias: number;
  readonly largest: number;
}

const E4M3: Format = { fraction: 3, bias: 7, largest: 448 };
const E5M2: Format = { fraction: 2, bias: 15, largest: 57_344 };

function fromSingle({ fraction, bias, largest }: Format): Helper {
  const dropped = 23 - fraction;
  // A sum with it has units of the format's subnormals: the engine rounds to them.
  const anchor = 2 ** (1 - bias - fraction + 23);
  return helper(["f32"], "i32", (f, x) => {
    const magnitude = f.let(x.abs().min(largest));
    const bits = f.let(magnitude.reinterpret());
    const small = magnitude.add(anchor).reinterpret().sub(f.f32(anchor).reinterpret());
    const odd = bits.shrU(dropped).and(1);
    const normal = bits.add(2 ** (dropped - 1) - 1 - (127 - bias) * 2 ** 23).add(odd).shrU(dropped);
    const result = magnitude.lt(2 ** (1 - bias)).select(small, normal);
    return x.eq(x).select(result.or(x.reinterpret().shrU(24).and(0x80)), f.i32(0x7f));
  });
}

const f32ToE4m3: Helper = fromSingle(E4M3);
const f32ToE5m2: Helper = fromSingle(E5M2);

const e4m3ToF16: Helper = helper(["i32"], "i32", (f, x) => {
  const bits = f.let(x.and(0x7f));
  // Subnormals are whole numbers of 2^-9, which are normal as f16.
  const small = f.call("f32ToF16", bits.toFloat("f32", false).mul(2 ** -9));
  const finite = bits.ltU(8).select(small, bits.shl(7).add((15 - E4M3.bias) << 10));
  return bits.eq(0x7f).select(f.i32(0x7fff), finite.or(x.and(0x80).shl(8)));
});

const e5m2ToF16: Helper = helper(["i32"], "i32", (f, x) => {
  const half = f.let(x.and(0xff).shl(8));
  return half.and(0x7fff).gtU(0x7c00).select(f.i32(0x7fff), half);
});

export const FP8_HELPERS = {
  f32ToE4m3,
  f32ToE5m2,
  e4m3ToF16,
  e5m2ToF16,
} as const satisfies Record<string, Helper>;
